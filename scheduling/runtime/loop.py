"""SchedulerLoop: reads due clocks ahead, sleeps until the first of them, and fires.

Several loops may run on one database. None of them leads: each tick is won by compare-and-set, and every chore is
harmless when done twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

import psycopg
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from scheduling.conf import SchedulingConf, conf
from scheduling.db import CLOCK_CHANNEL, Connection, close_quietly
from scheduling.engine.admit import Admitted, admit
from scheduling.engine.admit_waiting import WAITS, admit_waiting
from scheduling.engine.fire import Fired, fire
from scheduling.engine.partitions import create_ahead
from scheduling.engine.promote import next_promotion, promote
from scheduling.listen import Listener
from scheduling.notify import ENTRIES, LIMITS
from scheduling.runtime.backfills import BACKFILLS, RUNS, run_backfills
from scheduling.runtime.clock_reader import ClockReader, KnownClock
from scheduling.runtime.end_watch import EndWatch
from scheduling.runtime.fire_batches import FireBatch, in_batches
from scheduling.runtime.known_clocks import FOREIGN
from scheduling.runtime.maintainer import Chores, Condition, Maintainer, that_are_needed
from scheduling.runtime.passed_over import PASSED_OVER, PAUSE_SECONDS, TO_RECORD, record_passed_over
from scheduling.runtime.read_ahead import READ_CHUNK, ReadAhead
from scheduling.runtime.registry import Registry, Share
from scheduling.runtime.surroundings import Surroundings
from scheduling.runtime.tally import Tally
from scheduling.runtime.watchdog import CONNECTING_SECONDS, Watch

logger = logging.getLogger(__name__)

#: A tick that somebody else holds is looked at again after so long; they commit within milliseconds.
CONTENDED = timedelta(milliseconds=10)

#: Firing aims this far behind the due moment: a statement that arrives early is refused and must be sent again.
MARGIN = timedelta(microseconds=500)

#: The name of the sweep, which is due at once when a limit was edited.
_ADMISSION = "admitted"


class SchedulerLoop:
    """One scheduler. `turn` does what is due and says when to come back; `run` repeats it until `stop`."""

    def __init__(
        self,
        *,
        maintainers: Sequence[Maintainer] = (),
        report: Callable[[str], None] = lambda line: None,
        settings: SchedulingConf | None = None,
        surroundings: Surroundings | None = None,
        registry: Registry | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._watch = watch or Watch("turn")
        self._conf = settings or conf()
        #: None: a loop that nobody shall know of, as on a virtual clock.
        self._registry = registry
        self._surroundings = surroundings or Surroundings()
        self._maintainers = [
            *(
                [Maintainer(name="partitions", every_seconds=600, run=self._create_partitions)]
                if self._surroundings.creates_partitions
                else []
            ),
            self._often(_ADMISSION, self._sweep_admission, WAITS),
            self._often(BACKFILLS, run_backfills, RUNS),
            self._often(PASSED_OVER, self._record_passed_over, TO_RECORD),
            *maintainers,
            *(
                [
                    Maintainer(name="beat", every_seconds=self._conf.HEARTBEAT_SECONDS, run=self._beat),
                    Maintainer(name="swept", every_seconds=3600, run=self._sweep_schedulers),
                ]
                if registry is not None
                else []
            ),
        ]
        self._recorded_at = 0.0
        self._due_at = dict.fromkeys((chore.name for chore in self._maintainers), 0.0)
        self._report = report
        self._clock = self._surroundings.clock
        self._listener = Listener("scheduler listen", [CLOCK_CHANNEL])
        self._notifier = self._surroundings.notifier
        self._conn: Connection | None = None
        self._stopping = threading.Event()
        self._tally = Tally()
        self._reader = ClockReader()
        self._ahead = ReadAhead(self._reader, self._clock, self._conf)
        self._known = self._ahead.known
        self._ends = EndWatch(self._reader, longest_pause=timedelta(seconds=self._conf.MAINTENANCE_SECONDS))
        self._forget()

    def stop(self) -> None:
        """End `run` after the current turn. May be called from a signal handler."""
        self._stopping.set()
        self._listener.interrupt()

    def run(self) -> None:
        """Turn and sleep until `stop`; when the database is gone, wait and go on by itself."""
        pause = 0.5
        next_line = time.monotonic() + 60
        while not self._stopping.is_set():
            try:
                sleep_seconds = self.turn()
                pause = 0.5
            except psycopg.Error as error:
                logger.warning("scheduler: %s", str(error).strip(), extra={"action": "database_lost"})
                self._forget()
                close_quietly(self._conn)
                self._conn = None
                sleep_seconds, pause = pause, min(pause * 2, 10.0)
                self._watch.turned(rest=sleep_seconds + CONNECTING_SECONDS)
            else:
                self._watch.turned(rest=sleep_seconds)
            heard = self._listener.wait(min(sleep_seconds, max(0.0, next_line - time.monotonic())))
            self.take_note(heard)
            if time.monotonic() >= next_line:
                self._report(self._tally.line())
                next_line += 60
        self._watch.end()
        self.close()

    def close(self) -> None:
        """Leave the registry, and give every connection back."""
        if self._registry is not None and self._conn is not None and not self._conn.closed:
            self._registry.leave(self._conn)
        self._notifier.close()
        self._listener.close()
        close_quietly(self._conn)
        self._conn = None

    @property
    def share(self) -> Share:
        """Which tasks this one fires at their moment; the others only when nobody else has, a second later."""
        return self._known.share

    def turn(self) -> float:
        """Do everything that is due now; return for how many seconds there is nothing to do."""
        conn = self._connection()
        # What is known to be due does not wait for what is not known yet.
        self._fire_due(conn)
        self._read(conn)
        self._rearm_ended(conn)
        self._fire_due(conn)
        self._promote_due(conn)
        self._maintain(conn)
        return self._seconds_until_next()

    def _connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = self._surroundings.connect()
        return self._conn

    def _forget(self) -> None:
        """Start from nothing: read everything anew with the next turn."""
        self._ahead.forget()
        self._next_promotion: datetime | None = None
        self._promotions_known = False

    def metrics(self) -> Iterator[Metric]:
        """Yield this scheduler's own numbers for Prometheus; may be called from any thread."""
        totals = dict(self._tally.totals)
        yield CounterMetricFamily("rota_fired", "Instances that a scheduler has fired.", totals.pop("fired", 0))
        lag = "How late a scheduler fired at the worst, as of its last heartbeat."
        yield GaugeMetricFamily("rota_scheduler_lag_seconds", lag, self._tally.taken_worst)
        done = CounterMetricFamily("rota_scheduler_done", "What else a scheduler has done.", labels=["what"])
        for what, count in sorted(totals.items()):
            done.add_metric([what], count)
        yield done

    def take_note(self, heard: dict[str, set[str]]) -> None:
        """Look anew, with the next turn, at what the notifications ``heard`` are about: payloads by channel."""
        payloads = heard.get(CLOCK_CHANNEL, set())
        if self._listener.reconnected or payloads - {ENTRIES}:
            # A limit may have been edited.
            self._due_at[_ADMISSION] = 0.0
        if self._listener.reconnected or payloads - {ENTRIES, LIMITS}:
            self._listener.reconnected = False
            self._ahead.hint()
            # Soon, but not with each of many edits: firing comes first.
            pause = min(PAUSE_SECONDS, self._conf.MAINTENANCE_SECONDS)
            self._due_at[PASSED_OVER] = min(self._due_at[PASSED_OVER], self._recorded_at + pause)
        if payloads:
            self._promotions_known = False
            self._due_at[BACKFILLS] = 0.0

    # Reading ahead

    def _read(self, conn: Connection) -> None:
        def between() -> None:
            self._watch.turned()
            self._fire_due(conn)

        if self._ahead.read(conn, between=between):
            # What others fired, resumed or edited is found here; promotions, should a hint have been lost.
            self._ends.look_at_once()
            self._promotions_known = False

    # Firing

    def _fire_due(self, conn: Connection) -> None:
        now = self._clock.now()
        due = self._known.take(now - MARGIN)
        self._fire(conn, [clock for clock in due if self.share.has(clock.task_id)], now)
        foreign = [clock.task_id for clock in due if not self.share.has(clock.task_id)]
        for start in range(0, len(foreign), READ_CHUNK):
            self._watch.turned()
            self._fire(conn, self._left_by_others(conn, foreign[start : start + READ_CHUNK]), now)

    def _fire(self, conn: Connection, clocks: Sequence[KnownClock], now: datetime) -> None:
        batches = in_batches(clocks, now, most=self._conf.FIRE_BATCH)
        following, settle = next(batches, None), _nothing
        while (batch := following) is not None:

            def meanwhile(settle: Callable[[], None] = settle) -> None:
                # While the server writes one batch, the one before is noted and the one after prepared.
                nonlocal following
                settle()
                following = next(batches, None)

            self._watch.turned()
            fired = fire(conn, batch.prepared, meanwhile=meanwhile)
            settle = partial(self._settle, batch, fired, self._clock.now())
            self._announce(conn, batch, fired)
        settle()

    def _left_by_others(self, conn: Connection, task_ids: Sequence[int]) -> list[KnownClock]:
        """Return those of ``task_ids`` that the scheduler whose share they are has not fired, and remember the rest."""
        left = []
        latest = self._clock.now() - FOREIGN
        for clock in self._reader.some(conn, task_ids):
            if clock.next_run_at is not None and clock.next_run_at <= latest:
                left.append(clock)
            else:
                self._ahead.remember(clock)
        return left

    def _announce(self, conn: Connection, batch: FireBatch, fired: Fired) -> None:
        """Tell whoever waits for what was fired, and look again at what was not."""
        self._notifier.queues(fired.queues)
        self._admit(conn, fired.gates)
        if fired.next_promotion is not None:
            self._next_promotion = min(self._next_promotion or fired.next_promotion, fired.next_promotion)
        if any(clock.follows_end for clock in batch.clocks):
            self._ends.look_at_once()
        if fired.task_ids:
            self._notifier.changed()
        lost = {clock.task_id for clock in batch.clocks}.difference(fired.task_ids)
        if lost:
            # Fired or being fired by another scheduler, edited, or refused as early: look again.
            for clock in self._reader.some(conn, lost):
                self._ahead.remember(clock, not_before=self._clock.now() + CONTENDED)

    def _settle(self, batch: FireBatch, fired: Fired, fired_at: datetime) -> None:
        """Go on with the clocks that were fired."""
        won, earliest = set(fired.task_ids), fired_at
        for clock, tick in zip(batch.clocks, batch.prepared.ticks, strict=True):
            if tick.task_id not in won:
                continue
            earliest = min(earliest, tick.fire_for)
            clock.next_run_at = tick.next_run_at
            self._ahead.remember(clock)
        if won:
            self._tally.fired(instances=fired.instances, delay_seconds=(fired_at - earliest).total_seconds())

    def _rearm_ended(self, conn: Connection) -> None:
        """Let fixed delays go on whose instance has ended, whichever scheduler sees it first."""
        for clock in self._ends.look(conn, self._clock.now()):
            self._ahead.remember(clock)

    def _admit(self, conn: Connection, gates: set[int], pools: Collection[int] = ()) -> None:
        self._take(admit(conn, gates, pools))

    def _take(self, admitted: Admitted) -> None:
        self._tally.add("skipped", admitted.skipped)
        self._tally.add("replaced", admitted.replaced)
        admitted.announce(self._notifier)

    # Planned runs and retries

    def _promote_due(self, conn: Connection) -> None:
        if not self._promotions_known:
            self._next_promotion = next_promotion(conn)
            self._promotions_known = True
        now = self._clock.now()
        if self._next_promotion is None or self._next_promotion > now:
            return
        while True:
            self._watch.turned()
            promoted = promote(conn)
            self._tally.add("promoted", promoted.count)
            self._notifier.queues(promoted.queues)
            self._admit(conn, promoted.gates)
            if promoted.count < 500:
                break
        self._next_promotion = next_promotion(conn)
        if self._next_promotion is not None and self._next_promotion < now - CONTENDED:
            # Somebody holds it, who may take long.
            self._next_promotion = now + CONTENDED

    # Chores

    def _maintain(self, conn: Connection) -> None:
        now = time.monotonic()
        due = [chore for chore in self._maintainers if now >= self._due_at[chore.name]]
        if due:
            # Those that are due soon come along, so that one question does for them from now on.
            due = [chore for chore in self._maintainers if now >= self._due_at[chore.name] - _early(chore)]
        needed = that_are_needed(conn, due)
        for chore in due:
            self._due_at[chore.name] = time.monotonic() + chore.every_seconds
            if chore not in needed:
                continue
            self._watch.turned()
            done = chore.run(conn)
            if done.again_seconds is not None:
                self._due_at[chore.name] = time.monotonic() + done.again_seconds
            if done.delayed:
                self._promotions_known = False
            self._tally.add(chore.name, done.count)
            self._notifier.queues(done.queues)
            self._admit(conn, done.gates, done.pools)

    def _often(self, name: str, run: Callable[[Connection], Chores], needed: Condition) -> Maintainer:
        return Maintainer(name=name, every_seconds=self._conf.MAINTENANCE_SECONDS, run=run, needed=needed)

    def _create_partitions(self, conn: Connection) -> Chores:
        made = create_ahead(conn, now=self._clock.now(), days=self._conf.PARTITION_DAYS_AHEAD)
        return Chores(count=made)

    def _record_passed_over(self, conn: Connection) -> Chores:
        self._recorded_at = time.monotonic()
        return record_passed_over(conn)

    def _sweep_admission(self, conn: Connection) -> Chores:
        admitted = admit_waiting(conn)
        self._take(admitted)
        return Chores(count=admitted.ready)

    def _beat(self, conn: Connection) -> Chores:
        assert self._registry is not None  # noqa: S101 - the chore is there only with a registry
        self._registry.beat(conn, lag_seconds=self._tally.take_worst(), counts=self._tally.totals)
        if self.share != self._registry.share:
            self._known.share = self._registry.share
            # What is known was put in order by the old shares.
            self._ahead.forget()
        return Chores()

    def _sweep_schedulers(self, conn: Connection) -> Chores:
        assert self._registry is not None  # noqa: S101 - the chore is there only with a registry
        return Chores(count=self._registry.sweep(conn))

    def _seconds_until_next(self) -> float:
        if not self._promotions_known:
            return 0.0
        now = self._clock.now()
        moments = [now + timedelta(seconds=self._conf.LONGEST_SLEEP_SECONDS), self._ahead.due_at]
        if self._known.first_at is not None:
            moments.append(self._known.first_at + MARGIN)
        if self._next_promotion is not None:
            moments.append(self._next_promotion)
        if self._ends.look_at is not None:
            moments.append(self._ends.look_at)
        chores = min(self._due_at.values()) - time.monotonic()
        return max(0.0, min((min(moments) - now).total_seconds(), chores))


def _early(chore: Maintainer) -> float:
    """Return how many seconds before its time a chore comes along with others."""
    return min(2.0, chore.every_seconds / 2.5)


def _nothing() -> None:
    """There is nothing to note before the first batch."""
