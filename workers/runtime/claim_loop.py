"""ClaimLoop: claims as much as the slots can take, when there is room and probably something to claim."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import psycopg

from scheduling.runtime.watchdog import CONNECTING_SECONDS, Watch
from workers.conf import WorkersConf
from workers.runtime.claimer import Claimer, Job
from workers.runtime.prefetch import Prefetch
from workers.runtime.slots import Slots

logger = logging.getLogger(__name__)

#: What was claimed ahead and not started for so long (seconds) goes back to the queue.
STALE_SECONDS = 1.0

#: A worker that has just found something looks again after so long (seconds); from there on the pause doubles.
SHORTEST_PAUSE = 0.004

#: How often (seconds) a worker asks whether it holds leases that it knows nothing of.
RECONCILE_SECONDS = 30.0


class ClaimLoop:
    """Fills the slots from the queue. `run` is for one thread; everything else may be called from any."""

    def __init__(
        self,
        *,
        size: int,
        claimer: Claimer,
        conf: WorkersConf,
        watch: Watch,
        on_hold: bool,
        run_job: Callable[[Job], bool],
        on_claimed: Callable[[int], None],
        over: Callable[[], bool],
        congested: Callable[[], bool],
    ) -> None:
        """``run_job`` tells whether its slot is still counted as taken; while ``congested`` nothing is claimed.

        ``over`` ends the loop; whoever makes it true calls `wake`. ``on_hold`` lets the loop wait for `resume`.
        """
        self._size, self._claimer, self._conf, self._watch = size, claimer, conf, watch
        self._run_job, self._on_claimed, self._over, self._congested = run_job, on_claimed, over, congested
        #: The node was drained before this worker came: it claims nothing until somebody resumes it.
        self._on_hold = on_hold
        self._slots: Slots[Job] = Slots(size, self._serve)
        self._changed = threading.Condition()
        #: How many are claimed and not ended: running, or waiting for a slot.
        self._held = 0
        self._claimed_at = 0.0
        self._prefetch = Prefetch()
        self._look_ahead()
        #: How long to wait before the queue is looked at again although nobody announced anything.
        self._pause = conf.poll_seconds
        self._more = True

    @property
    def held(self) -> int:
        """How many are claimed and not ended."""
        return self._held

    @property
    def seconds(self) -> float:
        """How long all attempts together have taken, nearly."""
        return self._prefetch.seconds

    def run(self, each_turn: Callable[[], None], *, first: Callable[[], None] | None = None) -> None:
        """Claim until it is over, calling ``each_turn`` before every look. Raises what ``each_turn`` raises.

        ``first`` is done before the first claim; again, should the database be lost over it.
        """
        pause = 0.2
        reconcile_at = time.monotonic() + RECONCILE_SECONDS
        while not self._over():
            self._watch.turned(rest=self._pause)
            each_turn()
            try:
                if first is not None:
                    first()
                    first = None
                if time.monotonic() >= reconcile_at:
                    self._claimer.reconcile()
                    reconcile_at = time.monotonic() + RECONCILE_SECONDS
                if self._wants_more():
                    self._claim(self._capacity - self._held)
                else:
                    self._sleep(self._pause)
                    self._return_stale()
                pause = 0.2
            except psycopg.Error as error:
                logger.warning("worker: %s", str(error).strip(), extra={"action": "database_lost"})
                self._claimer.disconnect()
                # The answer to a claim may have been lost with the connection.
                reconcile_at = 0.0
                self._more = False
                self._watch.turned(rest=pause + CONNECTING_SECONDS)
                self._sleep(pause)
                self._more = True
                pause = min(pause * 2, 5.0)

    def wake(self) -> None:
        """There may be something to claim, or it is over."""
        with self._changed:
            self._more = True
            self._changed.notify_all()

    def resume(self) -> None:
        """Claim, should the loop have been on hold."""
        self._on_hold = False
        self.wake()

    def one_given_up(self) -> None:
        """Count one of the held ones as ended although its thread goes on."""
        with self._changed:
            self._held -= 1
            self._changed.notify_all()

    def return_unstarted(self) -> None:
        """Give back everything that was claimed and not started."""
        jobs = self._slots.take_back()
        with self._changed:
            self._held -= len(jobs)
            self._changed.notify_all()
        self._claimer.give_back(jobs)

    def wait_idle(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Wait until nothing is held or ``until``, ``seconds`` at most; whoever makes ``until`` true calls `wake`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or until(), seconds)

    def close(self) -> None:
        """Let the slots' threads end when no job is left; returns at once."""
        self._slots.close()

    def _wants_more(self) -> bool:
        """Whether there is room for a claim that is worth its statement, and probably something to claim."""
        self._look_ahead()
        worth = self._more and self._held <= self._low_water
        return worth and not self._on_hold and not self._congested()

    def _look_ahead(self) -> None:
        """Decide anew how much to hold: all that the slots can take, and what they get through in a moment."""
        ahead = self._prefetch.ahead(self._size)
        self._capacity = self._size + ahead
        #: With so many held or fewer, a claim is worth its statement.
        # An idle slot is worth any claim; room behind busy ones only a large one.
        self._low_water = max(self._size - 1, ahead // 2)

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            woken = self._changed.wait_for(lambda: self._over() or self._wants_more(), seconds)
            if not woken:
                # The poll: a wake-up may have been lost, or is being gathered with others for a moment.
                self._more = True
                self._pause = min(self._pause * 2, self._conf.poll_seconds)

    def _claim(self, free: int) -> None:
        # Before the statement, so that a wake-up during it is not forgotten.
        self._more = False
        jobs = self._claimer.claim(free)
        if len(jobs) == free:
            self._more = True
        if not jobs:
            return
        self._on_claimed(len(jobs))
        # Where something was, more is likely to come soon.
        self._pause = min(SHORTEST_PAUSE, self._conf.poll_seconds)
        with self._changed:
            self._held += len(jobs)
            self._claimed_at = time.monotonic()
        self._slots.put(jobs)

    def _serve(self, job: Job) -> None:
        started = time.monotonic()
        try:
            if not self._run_job(job):
                return  # its slot was counted as free when it was given up
        except BaseException:
            logger.exception("a slot failed", extra={"action": "slot"})
        self._prefetch.observe(time.monotonic() - started)
        with self._changed:
            self._held -= 1
            # Waking the claiming thread costs more than a short job; it is woken when a claim is worth it.
            if not self._held or (self._more and self._held <= self._low_water):
                self._changed.notify_all()

    def _return_stale(self) -> None:
        """Give back what was claimed ahead and has waited too long: the slots are busy with something longer."""
        # Whatever waits is at least as old as the newest claim.
        if self._slots.waiting and time.monotonic() - self._claimed_at > STALE_SECONDS:
            self._prefetch.forget()
            self.return_unstarted()
