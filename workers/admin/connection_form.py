"""The form of a connection: a password that is stored is never shown again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from workers.models import Connection

if TYPE_CHECKING:
    ConnectionModelForm = forms.ModelForm[Connection]
else:
    # Django's own classes are generic for type checkers only.
    ConnectionModelForm = forms.ModelForm

MASK = "********"

#: The password between user and host, and options that carry one. SQLAlchemy takes the first colon for the end of the
#: user, whatever stands before it, and what is meant for a password may have an @ or a user a slash. References to the
#: worker's environment are no secrets. Replaced in the text itself: a URL that is taken apart and put together again
#: comes out encoded anew.
_SECRETS = re.compile(
    r"(?P<before>^[\w+]+://(?:[^:/]*|[^:?]*):)(?P<password>[^@]*(?:@[^@?]*)*)(?=@)"
    r"|(?P<option>[?&]\w*(?:password|passwd|passphrase|pwd|odbc_connect|token|secret|private_key)\w*=)(?P<value>[^&]*)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\$\{[A-Za-z0-9_]+\}")


def masked_url(url: str) -> str:
    """Return ``url`` with every password replaced by a mask."""

    def hide(match: re.Match[str]) -> str:
        lead, secret = _parts(match)
        return match[0] if not secret or _REFERENCE.fullmatch(secret) else lead + MASK

    return _SECRETS.sub(hide, url)


def unmasked_url(url: str, stored: str) -> str:
    """Return ``url`` with its masks replaced by the passwords of ``stored``.

    Raises ValidationError when anything else was changed: a stored password must not be sent to a server that
    somebody wrote beside its mask.
    """
    if MASK not in url:
        return url
    if url != masked_url(stored):
        raise ValidationError(_("Type the password again: it is kept only while the rest of the URL stays the same."))
    return stored


def _parts(match: re.Match[str]) -> tuple[str, str]:
    if match["option"] is not None:
        return match["option"], match["value"]
    return match["before"], match["password"]


class ConnectionForm(ConnectionModelForm):
    """Shows the URL with its password masked; the mask left alone keeps the password."""

    class Meta:
        model = Connection
        fields = ("namespace", "name", "url")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored = self.instance.url if self.instance.pk else ""
        if self._stored:
            self.initial["url"] = masked_url(self._stored)

    def clean_url(self) -> str:
        """Return the URL with its real password; refuses what is no URL of SQLAlchemy."""
        url = unmasked_url(str(self.cleaned_data["url"]).strip(), self._stored)
        if _REFERENCE.fullmatch(url):
            # All of it is known to the worker only.
            return url
        try:
            make_url(url)
        except (ArgumentError, ValueError):
            # The text is not repeated: it may hold a password.
            raise ValidationError(_("This is not a URL such as postgresql+psycopg://user@host/database.")) from None
        return url
