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


#: Two machines' clocks drift apart by so many seconds in a second at most, unless one is being set.
DRIFT = 1e-4


class DatabaseClock:
    """Follows the database's clock by this machine's monotonic one, set right at each `sync`.

    A host whose own clock is an hour off fires on time all the same. An answer tells the time no better than to the
    duration of its question, so what earlier and quicker answers told is kept, as in the intersection algorithm by
    which NTP combines servers (RFC 5905, section 11.2.1): a slow answer makes nothing worse.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        #: The offset lay between these when the monotonic clock showed `_at`.
        self._least = self._most = self._at = 0.0

    def sync(self, database_now: datetime, *, asked_at: float, answered_at: float) -> None:
        """Take over the database's time; the two monotonic readings (seconds) enclose the question."""
        told = database_now.timestamp()
        least, most = told - answered_at, told - asked_at
        if self._offset is not None:
            drift = DRIFT * max(0.0, answered_at - self._at)
            kept_least, kept_most = max(least, self._least - drift), min(most, self._most + drift)
            # Otherwise one of the clocks was set meanwhile, and what was known of it is void.
            if kept_least <= kept_most:
                least, most = kept_least, kept_most
        self._least, self._most, self._at = least, most, answered_at
        self._offset = (least + most) / 2

    def now(self) -> datetime:
        """Return the database's present moment as well as we know it; this machine's until the first `sync`."""
        if self._offset is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(time.monotonic() + self._offset, UTC)

    def drift(self) -> timedelta:
        """Return by how much this machine's own clock is ahead of the database's."""
        return datetime.now(UTC) - self.now()
