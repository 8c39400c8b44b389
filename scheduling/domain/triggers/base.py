"""What every trigger can answer."""

from datetime import UTC, datetime
from typing import Protocol


class Trigger(Protocol):
    """A rule that yields fire times. It has no state: equal questions get equal answers."""

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first fire strictly later than ``moment``, in UTC, or None when there is none any more.

        Raises ValueError when ``moment`` has no time zone.
        """
        ...

    def count_between(self, start: datetime, end: datetime, *, cap: int) -> int:
        """Count the fires later than ``start`` and not later than ``end``.

        A result below ``cap`` is exact. Any other means "at least ``cap``": a trigger may stop counting
        there, or give the exact number where that costs nothing.
        """
        ...

    def __hash__(self) -> int:
        """Be a key, since answers are remembered for each trigger; identity is enough."""
        ...


def in_utc(moment: datetime) -> datetime:
    """Return an aware ``moment`` in UTC; a naive one raises ValueError, since it names no instant."""
    if moment.tzinfo is UTC:
        return moment
    if moment.utcoffset() is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC)
