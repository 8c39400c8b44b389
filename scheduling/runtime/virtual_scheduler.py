"""VirtualScheduler: the real scheduler loop, turned on a virtual clock from one event to the next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from scheduling.conf import SchedulingConf
from scheduling.db import CLOCK_CHANNEL, Connection
from scheduling.notify import ENTRIES
from scheduling.runtime.loop import MARGIN, SchedulerLoop
from scheduling.runtime.scratch_schema import ScratchSchema
from scheduling.runtime.surroundings import Surroundings
from scheduling.runtime.virtual_clock import SilentNotifier

#: Reading far ahead saves turns; the sweeps repair what died half-way, and nothing dies here.
_SETTINGS = SchedulingConf(
    HORIZON_SECONDS=6 * 3600, LONGEST_SLEEP_SECONDS=24 * 3600, MAINTENANCE_SECONDS=365 * 24 * 3600
)
_INSTANT = timedelta(microseconds=1)
#: Turns between two sweeps of the scratch tables, and between two countings of what they hold.
_SWEEP_AFTER, _COUNT_AFTER = 1000, 50


class TooManyInstances(Exception):
    """A simulation made more instances than it was allowed to."""


class Worker(Protocol):
    """What runs instances on the virtual clock."""

    def work(self, conn: Connection, now: datetime) -> bool:
        """End what is over by ``now``, take what is ready, and tell whether something is to be tried again later."""
        ...

    def next_end(self) -> datetime | None:
        """Return the moment at which the next instance ends; None while nothing runs."""
        ...


class VirtualScheduler:
    """One scheduler and one worker in a scratch schema. Time passes only when it is told to.

    ``most_instances`` bounds the whole simulation. Moments in and out are aware.
    """

    def __init__(self, scratch: ScratchSchema, worker: Worker, *, most_instances: int = 100_000) -> None:
        self._scratch = scratch
        self._worker = worker
        self._most_instances = most_instances
        self._turns = 0
        self._loop = self._new_loop()

    @property
    def now(self) -> datetime:
        """The present moment of the virtual clock, in UTC."""
        return self._scratch.clock.now()

    def run_until(self, moment: datetime) -> None:
        """Let time pass until ``moment``; a tick at that very moment is fired as well.

        Each call begins with a new scheduler, so whatever the caller edited meanwhile is seen. Raises ValueError
        when ``moment`` has passed, and TooManyInstances.
        """
        if moment < self.now:
            raise ValueError(f"the clock shows {self.now.isoformat()} already")
        self._loop = self._new_loop()
        while True:
            pause = self._turn()
            ends_at = self._worker.next_end()
            following = max(self.now + max(timedelta(seconds=pause), _INSTANT), self.now + _INSTANT)
            if ends_at is not None:
                following = min(following, max(ends_at, self.now + _INSTANT))
            if following > moment + MARGIN:
                break
            self._scratch.clock.set(following)
        self._scratch.clock.set(max(self.now, moment))
        self._refuse_too_many()

    def outage_until(self, moment: datetime) -> None:
        """Let time pass until ``moment`` without any scheduler; the worker ends what it runs."""
        if moment < self.now:
            raise ValueError(f"the clock shows {self.now.isoformat()} already")
        while (ends_at := self._worker.next_end()) is not None and ends_at <= moment:
            self._scratch.clock.set(max(ends_at, self.now))
            self._worker.work(self._scratch.conn, self.now)
        self._scratch.clock.set(moment)

    def _turn(self) -> float:
        """Do everything that is due now; return for how many seconds the scheduler has nothing to do."""
        self._count()
        while True:
            pause = self._loop.turn()
            if self._worker.work(self._scratch.conn, self.now):
                # What a worker announces in this case.
                self._loop.take_note({CLOCK_CHANNEL: {ENTRIES}})
            elif pause > 0:
                return pause

    def _count(self) -> None:
        self._turns += 1
        if self._turns % _SWEEP_AFTER == 0:
            self._scratch.sweep()
        if self._turns % _COUNT_AFTER == 0:
            self._refuse_too_many()

    def _refuse_too_many(self) -> None:
        row = self._scratch.conn.execute("SELECT count(*) FROM rota_instance").fetchone()
        if row is not None and row[0] > self._most_instances:
            raise TooManyInstances(self._most_instances)

    def _new_loop(self) -> SchedulerLoop:
        return SchedulerLoop(
            settings=_SETTINGS,
            surroundings=Surroundings(
                connect=lambda: self._scratch.conn,
                clock=self._scratch.clock,
                notifier=SilentNotifier(),
                creates_partitions=False,
            ),
        )
