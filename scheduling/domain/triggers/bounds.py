"""Beginning and end of any trigger."""

from datetime import datetime, timedelta

from scheduling.domain.triggers.base import Trigger, in_utc

#: The smallest step of a datetime: "not before X" is "strictly later than X less this".
INSTANT = timedelta(microseconds=1)


class BoundedTrigger:
    """The fires of another trigger from ``starts_at`` to ``ends_at``; both moments belong to it."""

    def __init__(self, inner: Trigger, starts_at: datetime | None, ends_at: datetime | None) -> None:
        self._inner = inner
        self._before_start = None if starts_at is None else in_utc(starts_at) - INSTANT
        self._ends_at = None if ends_at is None else in_utc(ends_at)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the inner trigger's first fire later than ``moment`` that lies within the bounds."""
        moment = in_utc(moment)
        if self._before_start is not None and moment < self._before_start:
            moment = self._before_start
        fire = self._inner.next_after(moment)
        if fire is None or (self._ends_at is not None and fire > self._ends_at):
            return None
        return fire

    def count_between(self, start: datetime, end: datetime, *, cap: int) -> int:
        """Count the inner trigger's fires in (``start``, ``end``] that lie within the bounds."""
        if self._before_start is not None:
            start = max(start, self._before_start)
        if self._ends_at is not None:
            end = min(end, self._ends_at)
        return self._inner.count_between(start, end, cap=cap) if start < end else 0
