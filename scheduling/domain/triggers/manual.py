"""The trigger of tasks that only run by hand, API, workflow or code."""

from datetime import datetime

from scheduling.domain.triggers.base import in_utc


class ManualTrigger:
    """Never fires by itself."""

    def next_after(self, moment: datetime) -> datetime | None:
        """Return None, whatever the moment."""
        in_utc(moment)
        return None

    def count_between(self, start: datetime, end: datetime, *, cap: int) -> int:
        """Return 0, whatever the span."""
        return 0
