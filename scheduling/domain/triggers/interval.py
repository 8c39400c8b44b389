"""The trigger that fires each time a fixed span of elapsed time has passed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from scheduling.domain.triggers.base import in_utc

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class IntervalTrigger:
    """Fires at ``anchor + n × every`` for each whole number n, also a negative one.

    The anchor gives the phase only (``starts_at`` says when to begin), so a restart, an outage or an edit
    of something else does not shift the fires. Elapsed time counts: daylight saving has no part in it.
    """

    def __init__(self, every: timedelta, anchor: datetime) -> None:
        if every <= timedelta(0):
            raise ValueError("an interval must be longer than nothing")
        self._every = every
        self._anchor = in_utc(anchor)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first multiple strictly later than ``moment``; None past the end of the calendar."""
        periods = (in_utc(moment) - self._anchor) // self._every + 1
        try:
            return self._anchor + periods * self._every
        except OverflowError:
            return None

    def count_between(self, start: datetime, end: datetime, *, cap: int) -> int:
        """Count the fires in (``start``, ``end``]; always exact, also above ``cap``."""
        if end <= start:
            return 0
        return (end - self._anchor) // self._every - (start - self._anchor) // self._every

    def counts_between(self, moments: Sequence[int]) -> list[int]:
        """Count the fires later than each of ``moments`` and not later than the next one.

        They ascend, and are microseconds since 1970 (UTC): for many moments whole numbers are quicker than datetimes.
        """
        anchor, every = (self._anchor - _EPOCH) // _MICROSECOND, self._every // _MICROSECOND
        periods = [(moment - anchor) // every for moment in moments]
        return [after - before for before, after in pairwise(periods)]
