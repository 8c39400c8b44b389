"""ReadAhead: what a scheduler knows of the near future, until when that is all of it, and when it has to look again."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from scheduling.conf import SchedulingConf
from scheduling.db import Connection, database_now
from scheduling.runtime.clock_reader import BEGINNING, ClockReader, KnownClock, Place
from scheduling.runtime.known_clocks import KnownClocks
from scheduling.runtime.surroundings import FollowingClock

#: Edited clocks are planned for this long (seconds) before the others are looked at again.
PLANNING_SECONDS = 0.5

#: So many clocks are read in one statement. What is due meanwhile waits for no more than that.
READ_CHUNK = 2000

#: After all was read it is not read again for so many times as long as it took, unless it is time to: hints of edits
#: may come many times a second. What was edited is planned, and known, all the same.
RESTS, LONGEST_REST = 4, timedelta(seconds=1)

_NEVER = datetime.min.replace(tzinfo=UTC)


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
        self.complete_until = self._read_again_at = self._rests_until = _NEVER
        #: What is known is out of date.
        self._stale = True
        #: Something was edited since the last round of planning began.
        self._edited = True

    def hint(self) -> None:
        """Take note that clocks have changed: what was edited is planned with the next `read`."""
        self._stale = self._edited = True

    def remember(self, clock: KnownClock, *, not_before: datetime | None = None) -> None:
        """Take one clock in, if it comes due within what is known; what comes later is read in time."""
        if clock.next_run_at is not None and clock.next_run_at <= self.complete_until:
            self.known.remember(clock, not_before=not_before)

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
        reads_all = now >= self._read_again_at or (self._stale and now >= self._rests_until)
        knows_nothing = self.complete_until == _NEVER
        if reads_all:
            self._sync_clock(conn)
        # With each reading, and not only when told to: a hint may have been lost. It comes before the reading, so that
        # what another scheduler plans meanwhile is either read or left for the next time. But who knows nothing looks
        # first what there is to fire.
        if not knows_nothing and (reads_all or self._edited):
            if reads_all:
                self._stale = False
            self._plan_edited(conn, between)
        if reads_all:
            self._read_all(conn, between)
        if knows_nothing:
            self._plan_edited(conn, between)
        return reads_all

    def _read_all(self, conn: Connection, between: Callable[[], None]) -> None:
        began = self._clock.now()
        until = began + timedelta(seconds=self._conf.HORIZON_SECONDS)
        self._reader.forget_calendars()
        self._read_window(conn, until, between)
        # A window that did not fit into one read goes on where it ended; another is read well before its end.
        early = timedelta(seconds=self._conf.HORIZON_SECONDS / 3) if self.complete_until == until else timedelta(0)
        self._read_again_at = self.complete_until - early
        ended = self._clock.now()
        self._rests_until = ended + min(LONGEST_REST, RESTS * (ended - began))
        if self._reader.edited.left_some:
            # Whoever was at them gives no hint when it gives up.
            self._read_again_at = min(self._read_again_at, ended + LONGEST_REST)

    def _read_window(self, conn: Connection, until: datetime, between: Callable[[], None]) -> None:
        """Read what is due by ``until`` over what is known; of that, what is gone is refused when it is fired."""
        place: Place | None = BEGINNING
        left = self._conf.READ_BATCH
        size = min(READ_CHUNK, left)
        while place is not None and left > 0:
            clocks, place = self._reader.window(conn, until=until, limit=size, after=place)
            # What is known already does not count: however many are due and held by somebody, others follow.
            left -= sum(self.known.remember(clock) for clock in clocks)
            if place is not None:
                # What is fired from here on and comes due before this place again is not read any more.
                self.complete_until = max(self.complete_until, place.next_run_at)
                between()
        self.complete_until = until if place is None else place.next_run_at

    def _plan_edited(self, conn: Connection, between: Callable[[], None]) -> None:
        """Plan what was edited, for a while, and take in what of it is due soon."""
        edited = self._reader.edited
        if not edited.under_way:
            # Otherwise what was heard of may have been edited behind the round, and the next one has to look.
            self._edited = False
        self._reader.forget_calendars()
        enough = time.monotonic() + PLANNING_SECONDS
        while True:
            planned = edited.plan(conn)
            soon = [task_id for task_id, at in planned.items() if at is not None and at <= self.complete_until]
            for clock in self._reader.some(conn, soon) if soon else []:
                self.remember(clock)
            if edited.left_some:
                self._read_again_at = min(self._read_again_at, self._clock.now() + LONGEST_REST)
            if not edited.under_way or time.monotonic() >= enough:
                break
            between()
        if edited.under_way:
            # It goes on at once; and what other schedulers plan in the meantime has to be read when it has ended.
            self._edited = self._stale = True

    def _sync_clock(self, conn: Connection) -> None:
        asked_at = time.monotonic()
        now = database_now(conn)
        self._clock.sync(now, asked_at=asked_at, answered_at=time.monotonic())
