"""Worker: claims what its slots can take, runs it in threads, and ends in order.

Three connections, however many slots: the claim loop's claims, the writer's stores, the pulse's keeps the leases.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from prometheus_client.core import Metric

from scheduling.domain.clock import DatabaseClock
from scheduling.notify import Notifier
from scheduling.runtime.watchdog import Watchdog
from workers.conf import WorkersConf, conf
from workers.engine.complete import Completed, Report
from workers.engine.nodes import Registration
from workers.exceptions import WorkerBroken
from workers.handlers.base import Handler
from workers.runtime.attempts import Attempts
from workers.runtime.claim_loop import ClaimLoop
from workers.runtime.claimer import Claimer
from workers.runtime.drain_limit import DrainLimit
from workers.runtime.pulse import Pulse, PulseCalls
from workers.runtime.worker_metrics import worker_metrics
from workers.runtime.writer import BACK_PRESSURE, Writer

logger = logging.getLogger(__name__)

#: Where the tasks that only this node may run are queued.
NODE_QUEUE = "node:{name}"

#: How often (seconds) a worker says what it has done.
SAY_SECONDS = 60.0


class Worker:
    """One worker process. `run` returns after `stop`, or when it was fenced."""

    def __init__(
        self,
        *,
        registration: Registration,
        queues: Collection[str],
        handlers: Mapping[str, Handler[Any]],
        concurrency: int,
        report: Callable[[str], None] = lambda line: None,
        settings: WorkersConf | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._name, self._size, self._tell = registration.name, concurrency, report
        self._conf = settings or conf()
        self._watchdog = watchdog = watchdog or Watchdog(seconds=0, who="worker")
        self._watch = watchdog.watch("claim")
        own_queues = [*dict.fromkeys([*queues, NODE_QUEUE.format(name=registration.name)])]
        clock = DatabaseClock()
        self._notifier = Notifier()
        self._claimer = Claimer(
            registration=registration, queues=own_queues, handlers=handlers.keys(), notifier=self._notifier
        )
        self._writer = Writer(
            conf=self._conf, notifier=self._notifier, on_written=self._count, watch=watchdog.watch("writer")
        )
        self._attempts = Attempts(
            handlers=handlers,
            conf=self._conf,
            clock=clock,
            writer=self._writer,
            report=report,
            on_given_up=lambda: self._claims.one_given_up(),
        )
        self._stops = 0
        self._fenced = ""
        self._claims = ClaimLoop(
            size=concurrency,
            claimer=self._claimer,
            conf=self._conf,
            watch=self._watch,
            on_hold=registration.held is not None,
            run_job=self._attempts.run,
            on_claimed=self._count_claimed,
            over=lambda: bool(self._stops or self._fenced or self._attempts.some_given_up),
            congested=lambda: self._writer.backlog >= BACK_PRESSURE,
        )
        self._pulse = Pulse(
            registration=registration,
            queues=own_queues,
            conf=self._conf,
            clock=clock,
            calls=PulseCalls(
                wake=self._claims.wake,
                cancel=self._attempts.cancel,
                kill=lambda leases: self._attempts.cancel(leases, kill=True),
                drain=self._drain_on_request,
                resume=self._resume,
                fence=self._fence,
                busy=lambda: len(self._attempts),
                counts=self._counts,
            ),
            watch=watchdog.watch("pulse"),
        )
        self._limit = DrainLimit(
            grace_seconds=self._conf.drain_seconds + self._conf.kill_wait_seconds,
            short_seconds=self._conf.kill_wait_seconds,
            unfinished=self._unfinished,
        )
        self._unwritten = self._unstopped = 0
        self._say_at = 0.0
        self._ended: dict[str, int] = {}
        #: What was done since the start.
        self._totals: Counter[str] = Counter()

    # Called from outside

    def stop(self) -> None:
        """Drain: claim nothing more, finish what runs. A second call does not wait for what runs."""
        # A signal handler must not wait for a lock that the interrupted code may hold.
        self._stops += 1
        threading.Thread(target=self._heed_stop, daemon=True).start()

    @property
    def stopping(self) -> bool:
        """Whether somebody asked for the end, by a signal or in the database."""
        return self._stops > 0

    @property
    def left_behind(self) -> int:
        """How many executions the schedulers have to decide about: results not written, and work that did not stop."""
        return self._unwritten + self._unstopped

    @property
    def fenced(self) -> str:
        """Why the worker gave up its leases; empty while it has not."""
        return self._fenced

    @property
    def must_be_replaced(self) -> bool:
        """Whether a thread could not be stopped, so that only the end of this process ends it."""
        return self._attempts.some_given_up

    def metrics(self) -> Iterable[Metric]:
        """Return this worker's own numbers for Prometheus; may be called from any thread."""
        return worker_metrics(
            self._counts(), slots=self._size, busy=len(self._attempts), unwritten=self._writer.backlog
        )

    def _take_over(self) -> None:
        if taken := self._claimer.recover().count:
            self._tell(f"took over {taken} from the worker before it")

    def run(self) -> None:
        """Claim and run until `stop`, or until a thread cannot be stopped; then drain."""
        self._writer.start()
        self._pulse.start()
        self._say_at = time.monotonic() + SAY_SECONDS
        try:
            self._claims.run(self._each_turn, first=self._take_over)
            self._drain()
        finally:
            self._watch.end()
            self._claims.close()
            if not self._writer.close(timeout=self._limit.left(30)):
                self._unwritten = self._writer.backlog
            if self._unwritten:
                self._tell(
                    f"{self._unwritten} results were not written, because the database did not answer; "
                    "the schedulers decide what becomes of their instances"
                )
            self._pulse.stop(timeout=self._limit.left(10))
            if not self._fenced:
                self._leave()
            self._notifier.close(timeout=self._limit.left(5))
            self._limit.over()

    def _each_turn(self) -> None:
        if not (self._writer.alive and self._pulse.alive):
            raise WorkerBroken("A thread of this worker ended unexpectedly; its traceback is above.")
        if time.monotonic() >= self._say_at:
            self._say()
            self._say_at += SAY_SECONDS

    # Called by the pulse and the writer

    def _heed_stop(self) -> None:
        # From here on the limit sees to the end, also when a loop is stuck.
        self._watchdog.stop()
        self._limit.begin()
        self._claims.wake()

    def _drain_on_request(self) -> None:
        self._tell(f"{self._name} was drained on request; `manage.py drain {self._name} --resume` lets it go on")
        self.stop()

    def _resume(self) -> None:
        self._tell(f"{self._name} was resumed")
        self._claims.resume()

    def _fence(self, why: str) -> None:
        self._fenced = why
        self._attempts.disown()
        self._unwritten += self._writer.drop()
        self._claims.wake()
        self._attempts.cancel_all()

    def _counts(self) -> dict[str, int]:
        return {**self._totals, "seconds": int(self._claims.seconds)}

    def _count_claimed(self, count: int) -> None:
        self._totals["claimed"] += count

    def _count(self, reports: Sequence[Report], done: Completed) -> None:
        self._claimer.settled(report.lease_id for report in reports)
        for decision in done.accepted.values():
            self._ended[decision] = self._ended.get(decision, 0) + 1
            self._totals[decision] += 1
        self._totals["refused"] += len(done.stale)
        for lease in done.stale:
            self._ended["refused"] = self._ended.get("refused", 0) + 1
            logger.warning("the report of execution %s came too late", lease, extra={"action": "stale_report"})

    # The end

    def _unfinished(self) -> str:
        return f"{self._writer.backlog} results are not written and {len(self._attempts)} executions have not ended"

    def _leave(self) -> None:
        """Sign off, unless the database keeps us waiting."""

        def leave() -> None:
            self._claimer.leave()
            self._claimer.disconnect()

        leaving = threading.Thread(target=leave, name="rota-leave", daemon=True)
        leaving.start()
        leaving.join(self._limit.left(5))

    def _drain(self) -> None:
        # The waits below have limits of their own.
        self._watch.end()
        claims = self._claims
        if self._fenced:
            self._tell(f"gave up its leases: {self._fenced}")
            claims.wait_idle(self._conf.drain_seconds)
            return
        self._pulse.drain()
        claims.return_unstarted()
        self._tell(f"draining, {claims.held} running")
        claims.wait_idle(self._conf.drain_seconds, until=lambda: self._stops > 1 or bool(self._fenced))
        if claims.held and not self._fenced:
            self._tell(f"stopping {len(self._attempts)} that did not end in time")
            self._attempts.interrupt()
            claims.wait_idle(self._limit.left(self._conf.kill_wait_seconds))
            if left := claims.held:
                self._unstopped = left
                self._tell(f"{left} did not stop either; the schedulers decide what becomes of them")
        self._writer.wait_written(timeout=self._limit.left(30))

    def _say(self) -> None:
        ended, self._ended = self._ended, {}
        said = " · ".join(f"{word} {count}" for word, count in sorted(ended.items())) or "nothing ended"
        self._tell(f"{said} · busy {len(self._attempts)}/{self._size}")
