"""The trigger that fires at one moment."""

from datetime import datetime

from scheduling.domain.triggers.base import in_utc


class OnceTrigger:
    """Fires at ``at`` and never again."""

    def __init__(self, at: datetime) -> None:
        self._at = in_utc(at)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the moment of the fire while it lies ahead."""
        return self._at if in_utc(moment) < self._at else None

    def count_between(self, start: datetime, end: datetime, *, cap: int) -> int:
        """Return 1 when the fire lies in (``start``, ``end``], else 0."""
        return 1 if start < self._at <= end else 0
