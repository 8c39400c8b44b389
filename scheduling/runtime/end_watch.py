"""EndWatch: when a fixed delay's instance has ended, its clock goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from scheduling.db import Connection
from scheduling.engine.rearm import find_awaiting, find_ends, rearm
from scheduling.runtime.clock_reader import ClockReader, KnownClock

#: Between two looks at most half of the shortest delay passes, so that its next run is known before it is due.
SHORTEST_PAUSE = timedelta(seconds=0.05)


class EndWatch:
    """Looks for ends while something waits for one, and not otherwise.

    Completing an instance does not announce it to anybody, so that no other task pays for fixed delays: the end is
    found at most half a delay late, and the next run counts from the end itself.
    """

    def __init__(self, reader: ClockReader, *, longest_pause: timedelta) -> None:
        self._reader = reader
        self._longest_pause = longest_pause
        self._waiting: set[int] = set()
        #: When to look again; None while nothing waits.
        self.look_at: datetime | None = None

    def look_at_once(self) -> None:
        """Look with the next turn: something may have begun to wait."""
        self.look_at = datetime.min.replace(tzinfo=UTC)

    def look(self, conn: Connection, now: datetime) -> list[KnownClock]:
        """Set the clocks whose instance has ended; return those, and those that others have set meanwhile.

        Does nothing before `look_at`.
        """
        if self.look_at is None or now < self.look_at:
            return []
        waiting = find_awaiting(conn)
        ends = find_ends(conn, waiting)
        ended = [(clock, ends[clock.task_id]) for clock in waiting if clock.task_id in ends]
        going_on = rearm(conn, self._reader.rearmings(conn, ended))
        still = [clock for clock in waiting if clock.task_id not in going_on]
        before, self._waiting = self._waiting, {clock.task_id for clock in still}
        going_on |= before - self._waiting
        delays = self._reader.delays(conn, still)
        self.look_at = None
        if still:
            half = timedelta(seconds=min(delays, default=0.0) / 2)
            self.look_at = now + min(max(half, SHORTEST_PAUSE), self._longest_pause)
        return self._reader.some(conn, going_on) if going_on else []
