"""One message for what an action did, and one for what it did not do and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

Row = TypeVar("Row", bound=Model)

#: An action on more rows than this stops here and says so.
MOST_AT_ONCE = 500

#: How many reasons one message names.
MOST_REASONS = 5


def first_of(request: HttpRequest, rows: QuerySet[Row]) -> list[Row]:
    """Return the chosen ``rows``, `MOST_AT_ONCE` of them at most; the reader is told when there are more."""
    found = list(rows[: MOST_AT_ONCE + 1])
    if len(found) > MOST_AT_ONCE:
        said = _("Only the first %(n)d were looked at. Choose the others again, or narrow the list.")
        messages.warning(request, said % {"n": MOST_AT_ONCE})
    return found[:MOST_AT_ONCE]


@dataclass
class Report:
    """Collects the results of an action row by row."""

    done: int = 0
    #: Links to what came of it.
    links: list[SafeString] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def refuse(self, name: object, error: PermissionDenied | ValidationError | str) -> None:
        """Note that nothing was done with ``name``, and why."""
        reason = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        # Several follow each other in one sentence.
        self.refused.append(_("%(name)s: %(reason)s") % {"name": name, "reason": reason.rstrip(" .。")})

    def show(self, request: HttpRequest, sentence: str) -> None:
        """Tell the reader: ``sentence`` says with its count what was done; reasons follow."""
        if self.done:
            links = format_html_join(" ", "{}", ((each,) for each in self.links[:MOST_REASONS]))
            messages.success(request, format_html("{} {}", sentence, links))
        if self.refused:
            reasons = _("; ").join(self.refused[:MOST_REASONS])
            more = len(self.refused) - MOST_REASONS
            if more > 0:
                reasons = _("%(reasons)s; and %(more)d more") % {"reasons": reasons, "more": more}
            level = messages.WARNING if self.done else messages.ERROR
            count = ngettext("%(n)d was left out.", "%(n)d were left out.", len(self.refused)) % {
                "n": len(self.refused)
            }
            said = _("%(count)s %(reasons)s.") % {"count": count, "reasons": reasons}
            messages.add_message(request, level, said)
