"""What became of a task while somebody had its form open: the form carries what it was made from."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Self

from django import forms
from django.utils.translation import gettext as _

from scheduling.models import Task, TaskRevision
from scheduling.services import revision_changes

_TEXT = re.compile(r"(\d{1,9}) (on|off)", re.ASCII)

#: So many changes are named in a sentence.
_NAMED = 5


class Seen(NamedTuple):
    """How a task stood when its form was made: pausing and resuming make no version."""

    version: int
    enabled: bool

    @classmethod
    def of(cls, task: Task) -> Self:
        """Return how ``task`` stands, as it was read."""
        return cls(task.version, task.enabled)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return what a form carried; None for one that carries nothing, such as a script's."""
        found = _TEXT.fullmatch(text)
        return None if found is None else cls(int(found[1]), found[2] == "on")

    def __str__(self) -> str:
        return f"{self.version} {'on' if self.enabled else 'off'}"


class SeenField(forms.CharField):
    """Carries `Seen` through the form, unseen."""

    widget = forms.HiddenInput

    def __init__(self) -> None:
        super().__init__(required=False, max_length=20)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return False: that it differs is what somebody else did."""
        return False


def saved_meanwhile(task: Task, seen: Seen, version: int) -> str:
    """Return the sentence for a ``task`` that is at ``version`` now and was at another when its form was made."""
    known = dict(
        TaskRevision.objects.filter(task=task.pk, version__in=[seen.version, version]).values_list(
            "version", "definition"
        )
    )
    sentences = [
        _("Somebody has saved version %(version)d of this task since you opened this form.") % {"version": version}
    ]
    found = revision_changes(known[seen.version], known[version]) if len(known) == 2 else []
    if found:
        named = [f"{': '.join([each.label, *each.path])} {each.before} → {each.after}" for each in found[:_NAMED]]
        named += ["…"] if len(found) > _NAMED else []
        sentences.append(_("It changed: %(changes)s.") % {"changes": "; ".join(named)})
    sentences.append(_("Nothing of yours is stored yet; saving once more puts what stands here in its place."))
    return " ".join(sentences)
