"""The trigger whose delay counts from the end of the previous instance."""

from datetime import datetime, timedelta

from scheduling.domain.triggers.base import in_utc


class FixedDelayTrigger:
    """Fires first at ``starts_at``, or a delay after it was planned; then a delay after each instance's end.

    It knows nothing of instances: whoever asks passes the moment at which the previous one ended. A row of
    answers, each asked with the one before, is therefore the tightest that could come.
    """

    def __init__(self, delay: timedelta, starts_at: datetime | None = None) -> None:
        if delay <= timedelta(0):
            raise ValueError("a delay must be longer than nothing")
        self._delay = delay
        self._starts_at = None if starts_at is None else in_utc(starts_at)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the fire that follows an end at ``moment``; None past the end of the calendar."""
        moment = in_utc(moment)
        if self._starts_at is not None and moment < self._starts_at:
            return self._starts_at
        try:
            return moment + self._delay
        except OverflowError:
            return None

    def count_between(self, start: datetime, end: datetime, *, cap: int) -> int:
        """Count the fires in (``start``, ``end``] of instances that take no time; always exact."""
        count, after = 0, in_utc(start)
        if self._starts_at is not None and after < self._starts_at <= end:
            count, after = 1, self._starts_at
        elif self._starts_at is not None and after < self._starts_at:
            return 0
        return count + max((end - after) // self._delay, 0)
