"""ReadAhead: what a scheduler knows of the near future, until when that is all of it, and when it has to look again."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from scheduling.conf import SchedulingConf
from scheduling.db import Connection, database_now
from scheduling.runtime.clock_reader import ClockReader
from scheduling.runtime.known_clocks import KnownClocks
from scheduling.runtime.surroundings import FollowingClock

#: Edited clocks are planned for this long (seconds) before the others are looked at again.
PLANNING_SECONDS = 0.5


class ReadAhead:
    """Keeps the clocks that come due within the horizon; used by one thread."""

    def __init__(self, reader: ClockReader, clock: FollowingClock, settings: SchedulingConf) -> None:
        self._reader = reader
        self._clock = clock
        self._conf = settings
        self.known = KnownClocks()
        self.forget()

    def forget(self) -> None:
        """Know nothing: read everything anew when asked next."""
        self.known.forget()
        #: Every clock that is due by then was known when it was read.
        self.complete_until = datetime.min.replace(tzinfo=UTC)
        #: Somebody said that what is known is out of date: to be read anew at once.
        self.stale = True
        self._read_again_at = datetime.min.replace(tzinfo=UTC)

    @property
    def due_at(self) -> datetime:
        """When it has to be read again."""
        return self._clock.now() if self.stale else self._read_again_at

    def read(self, conn: Connection, *, between: Callable[[], None]) -> bool:
        """Plan what was edited and read what comes next, if it is time to; return whether it was.

        ``between`` is called between batches of edited clocks: what is known already does not wait for them.
        """
        if not self.stale and self._clock.now() < self._read_again_at:
            return False
        self._sync_clock(conn)
        # Each time, and not only when told to: a hint may have been lost.
        planned = self._plan_edited(conn, between)
        until = self._clock.now() + timedelta(seconds=self._conf.HORIZON_SECONDS)
        self._reader.forget_calendars()
        clocks, self.complete_until = self._reader.window(conn, until=until, limit=self._conf.READ_BATCH)
        # A window that did not fit into one read goes on where it ended; another is read well before its end.
        early = timedelta(seconds=self._conf.HORIZON_SECONDS / 3) if self.complete_until == until else timedelta(0)
        self._read_again_at = self.complete_until - early if planned else self._clock.now()
        self.known.forget()
        for clock in clocks:
            self.known.remember(clock)
        return True

    def _plan_edited(self, conn: Connection, between: Callable[[], None]) -> bool:
        """Plan what was edited, for a while; return whether that was all."""
        edited = self._reader.edited
        if not edited.under_way:
            # Otherwise what was heard of may have been edited behind the round, and the next one has to look.
            self.stale = False
        enough = time.monotonic() + PLANNING_SECONDS
        while edited.plan(conn) and edited.under_way and time.monotonic() < enough:
            between()
        return not edited.under_way

    def _sync_clock(self, conn: Connection) -> None:
        asked_at = time.monotonic()
        now = database_now(conn)
        self._clock.sync(now, asked_at=asked_at, answered_at=time.monotonic())
