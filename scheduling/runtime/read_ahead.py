"""ReadAhead: what a scheduler knows of the near future, until when that is all of it, and when it has to look again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from scheduling.conf import SchedulingConf
from scheduling.db import Connection, database_now
from scheduling.runtime.clock_reader import BEGINNING, ClockReader, Place
from scheduling.runtime.known_clocks import KnownClocks
from scheduling.runtime.surroundings import FollowingClock

#: Edited clocks are planned for this long (seconds) before the others are looked at again.
PLANNING_SECONDS = 0.5

#: So many clocks are read in one statement. What is due meanwhile waits for no more than that.
READ_CHUNK = 2000

#: After all was read it is not read again for so many times as long as it took, unless it is time to: hints of edits
#: may come many times a second. What was edited is planned, and known, all the same.
RESTS, LONGEST_REST = 4, timedelta(seconds=1)


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
        self.complete_until = self._read_again_at = self._rests_until = datetime.min.replace(tzinfo=UTC)
        #: What is known is out of date.
        self._stale = True
        #: Something was edited since the last round of planning began.
        self._edited = True

    def hint(self) -> None:
        """Take note that clocks have changed: what was edited is planned with the next `read`."""
        self._stale = self._edited = True

    def read_anew(self) -> None:
        """Have everything that is known put in order and read once more with the next `read`."""
        self.known.forget()
        self._read_again_at = datetime.min.replace(tzinfo=UTC)

    @property
    def due_at(self) -> datetime:
        """When there is something to be read."""
        if self._edited:
            return self._clock.now()
        return min(self._read_again_at, self._rests_until) if self._stale else self._read_again_at

    def read(self, conn: Connection, *, between: Callable[[], None]) -> bool:
        """Plan what was edited and read what comes next, as far as it is time to; return whether all was read.

        ``between`` is called between batches: what is known already does not wait for the others.
        """
        now = self._clock.now()
        if now < self._read_again_at and not (self._stale and now >= self._rests_until):
            if self._edited:
                self._plan_edited(conn, between, remember=True)
            return False
        self._sync_clock(conn)
        # Each time, and not only when told to: a hint may have been lost.
        self._plan_edited(conn, between)
        began = self._clock.now()
        until = began + timedelta(seconds=self._conf.HORIZON_SECONDS)
        self._stale = False
        self._reader.forget_calendars()
        self._read_window(conn, until, between)
        # A window that did not fit into one read goes on where it ended; another is read well before its end.
        early = timedelta(seconds=self._conf.HORIZON_SECONDS / 3) if self.complete_until == until else timedelta(0)
        self._read_again_at = self.complete_until - early
        ended = self._clock.now()
        self._rests_until = ended + min(LONGEST_REST, RESTS * (ended - began))
        return True

    def _read_window(self, conn: Connection, until: datetime, between: Callable[[], None]) -> None:
        """Read what is due by ``until`` over what is known; of that, what is gone is refused when it is fired."""
        place: Place | None = BEGINNING
        left = self._conf.READ_BATCH
        while place is not None and left > 0:
            size = min(READ_CHUNK, left)
            clocks, place = self._reader.window(conn, until=until, limit=size, after=place)
            for clock in clocks:
                self.known.remember(clock)
            left -= size
            if place is not None:
                # What is fired from here on and comes due before this place again is not read any more.
                self.complete_until = max(self.complete_until, place.next_run_at)
                between()
        self.complete_until = until if place is None else place.next_run_at

    def _plan_edited(self, conn: Connection, between: Callable[[], None], *, remember: bool = False) -> None:
        """Plan what was edited, for a while; ``remember`` what of it is due soon."""
        edited = self._reader.edited
        if not edited.under_way:
            # Otherwise what was heard of may have been edited behind the round, and the next one has to look.
            self._edited = False
        enough = time.monotonic() + PLANNING_SECONDS
        while True:
            planned = edited.plan(conn)
            if remember:
                self._remember(conn, planned)
            if not edited.under_way or time.monotonic() >= enough:
                break
            between()
        # A round that was broken off goes on at once.
        self._edited |= edited.under_way

    def _remember(self, conn: Connection, planned: Mapping[int, datetime | None]) -> None:
        soon = [task_id for task_id, at in planned.items() if at is not None and at <= self.complete_until]
        for clock in self._reader.some(conn, soon) if soon else []:
            self.known.remember(clock)

    def _sync_clock(self, conn: Connection) -> None:
        asked_at = time.monotonic()
        now = database_now(conn)
        self._clock.sync(now, asked_at=asked_at, answered_at=time.monotonic())
