"""One thing that is wrong with what somebody wants to store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong: the field, the place inside it (for params), and a sentence."""

    field: str
    message: str
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        place = ".".join(str(part) for part in self.path)
        return f"{place}: {self.message}" if place else self.message
