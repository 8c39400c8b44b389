"""What an import found: definitions, and a note for everything that they cannot say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

Row = Mapping[str, Any]

_NAME_LENGTH = 200


class CannotCarryOver(ValueError):
    """A row says something that has no equal here; the text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was not carried over: the row (``12 “nightly”``), a sentence, and whether the row was skipped."""

    row: str
    message: str
    skipped: bool

    def __str__(self) -> str:
        what = _("skipped") if self.skipped else _("note")
        return f"{what}: {self.row}: {self.message}"


@dataclass(slots=True)
class Imported:
    """Definitions by the row that they came from, and the notes; ``rows`` counts what was read."""

    rows: int = 0
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    _names: Counter[str] = field(default_factory=Counter)

    @property
    def skipped(self) -> int:
        """How many rows were not carried over."""
        return self.rows - len(self.definitions)

    def note(self, row: str, message: str) -> None:
        """Note that a part of a row was not carried over."""
        self.notes.append(Note(row, message, skipped=False))

    def skip(self, row: str, message: str) -> None:
        """Note that a row was not carried over."""
        self.definitions.pop(row, None)
        self.notes.append(Note(row, message, skipped=True))

    def free_name(self, row: str, wanted: str, number: object) -> str:
        """Return a name that a task may have and that no earlier row got, as near to ``wanted`` as can be."""
        name = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", wanted).replace("/", "-").split(" ")).strip()
        name = re.sub(r"^-+|-+\Z", "", name).strip()[:_NAME_LENGTH].strip() or f"{number}"
        if self._names[name]:
            name = f"{name[: _NAME_LENGTH - 20]} ({number})"
        self._names[name] += 1
        if name != wanted:
            self.note(row, _("its name became “%(name)s”.") % {"name": name})
        return name
