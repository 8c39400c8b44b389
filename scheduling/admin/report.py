"""One message for what an action did, and one for what it did not do and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

#: An action on more rows than this stops here and says so.
MOST_AT_ONCE = 500

#: How many reasons one message names.
MOST_REASONS = 5


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
        self.refused.append(_("%(name)s: %(reason)s") % {"name": name, "reason": reason})

    def show(self, request: HttpRequest, sentence: str) -> None:
        """Tell the reader: ``sentence`` says with its count what was done; reasons follow."""
        if self.done:
            links = format_html_join(" ", "{}", ((each,) for each in self.links[:MOST_REASONS]))
            messages.success(request, format_html("{} {}", sentence, links))
        if self.refused:
            reasons = "; ".join(self.refused[:MOST_REASONS])
            more = len(self.refused) - MOST_REASONS
            if more > 0:
                reasons = _("%(reasons)s; and %(more)d more") % {"reasons": reasons, "more": more}
            level = messages.WARNING if self.done else messages.ERROR
            count = ngettext("%(n)d was left out.", "%(n)d were left out.", len(self.refused)) % {
                "n": len(self.refused)
            }
            messages.add_message(request, level, f"{count} {reasons}")
