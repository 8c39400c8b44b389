"""What is wrong with definition files, each thing with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands: the file (or what stands for one), and the number of its document, from 1.

    ``number`` is empty for what concerns the file as a whole, and ``2.3`` for the third object of a list that is
    the second document.
    """

    source: str
    number: str = ""

    def __str__(self) -> str:
        if not self.number:
            return self.source
        return _("%(source)s, document %(number)s") % {"source": self.source, "number": self.number}


@dataclass(frozen=True, kw_only=True, slots=True)
class DefinitionProblem:
    """One thing that is wrong: place, object (``task default/nightly``), field, the path inside it, a sentence."""

    place: Place
    message: str
    subject: str = ""
    field: str = ""
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        where = ", ".join(part for part in (str(self.place), self.subject) if part)
        field = ".".join(map(str, (self.field, *self.path))) if self.field else ""
        return ": ".join(part for part in (where, field, self.message) if part)


class DefinitionsRefused(Exception):
    """A set of definitions is not sound; nothing of it was applied. Its text is a sentence for people."""

    def __init__(self, problems: Sequence[DefinitionProblem]) -> None:
        self.problems = list(problems)
        super().__init__(
            ngettext(
                "Nothing was applied: there is %(count)d problem.",
                "Nothing was applied: there are %(count)d problems.",
                len(self.problems),
            )
            % {"count": len(self.problems)}
        )
        for problem in self.problems:
            self.add_note(str(problem))
