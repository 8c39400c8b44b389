"""Clock: what tells a loop the time. The database's clock is the one that counts."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the present moment, aware and in UTC."""

    def now(self) -> datetime:
        """Return the present moment."""
        ...


class DatabaseClock:
    """Follows the database's clock by this machine's monotonic one, set right at each `sync`.

    A host whose own clock is an hour off fires on time all the same.
    """

    def __init__(self) -> None:
        self._offset: float | None = None

    def sync(self, database_now: datetime, *, asked_at: float, answered_at: float) -> None:
        """Take over the database's time; the two monotonic readings (seconds) enclose the question."""
        self._offset = database_now.timestamp() - (asked_at + answered_at) / 2

    def now(self) -> datetime:
        """Return the database's present moment as well as we know it; this machine's until the first `sync`."""
        if self._offset is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(time.monotonic() + self._offset, UTC)

    def drift(self) -> timedelta:
        """Return by how much this machine's own clock is ahead of the database's."""
        return datetime.now(UTC) - self.now()
