"""Worker: claims what its slots can take, runs it in threads, and ends in order.

Three connections, however many slots: this one claims, the writer's stores, the pulse's keeps the leases.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
from django.utils.translation import gettext
from prometheus_client.core import Metric

from scheduling.domain.clock import DatabaseClock
from scheduling.domain.policies import OnWorkerLost
from scheduling.domain.states import Reason
from scheduling.notify import Notifier
from scheduling.runtime.watchdog import CONNECTING_SECONDS, Watchdog
from workers.conf import WorkersConf, conf
from workers.domain.states import ExecutionState
from workers.engine.claim import Claimed
from workers.engine.complete import Completed, Report
from workers.engine.nodes import Registration
from workers.exceptions import WorkerBroken
from workers.handlers.base import Handler, HandlerContext
from workers.runtime.claimer import Claimer, Job
from workers.runtime.connection_urls import connection_urls
from workers.runtime.definitions import Definition
from workers.runtime.drain_limit import DrainLimit
from workers.runtime.log_buffer import NOTE, LogBuffer
from workers.runtime.prefetch import Prefetch
from workers.runtime.pulse import Pulse, PulseCalls
from workers.runtime.runner import make_context, run_attempt, stuck_report
from workers.runtime.slots import Slots
from workers.runtime.time_limits import give_up_later, watch_limits, where_it_is
from workers.runtime.worker_metrics import worker_metrics
from workers.runtime.writer import BACK_PRESSURE, Ended, Writer

logger = logging.getLogger(__name__)

#: Where the tasks that only this node may run are queued.
NODE_QUEUE = "node:{name}"

#: What was claimed ahead and not started for so long (seconds) goes back to the queue.
STALE_SECONDS = 1.0

#: A worker that has just found something looks again after so long (seconds); from there on the pause doubles.
SHORTEST_PAUSE = 0.004

#: How often (seconds) a worker asks whether it holds leases that it knows nothing of.
RECONCILE_SECONDS = 30.0


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
        self._handlers, self._size = handlers, concurrency
        self._queues = [*dict.fromkeys([*queues, NODE_QUEUE.format(name=registration.name)])]
        self._conf = settings or conf()
        self._tell = report
        self._clock = DatabaseClock()
        self._notifier = Notifier()
        self._claimer = Claimer(
            registration=registration, queues=self._queues, handlers=handlers.keys(), notifier=self._notifier
        )
        self._watchdog = watchdog = watchdog or Watchdog(seconds=0, who="worker")
        self._watch = watchdog.watch("claim")
        self._writer = Writer(
            conf=self._conf, notifier=self._notifier, on_written=self._count, watch=watchdog.watch("writer")
        )
        self._pulse = Pulse(
            registration=registration,
            queues=self._queues,
            conf=self._conf,
            clock=self._clock,
            calls=PulseCalls(
                wake=self._wake,
                cancel=self._cancel,
                kill=lambda leases: self._cancel(leases, kill=True),
                drain=self._drain_on_request,
                resume=self._resume,
                fence=self._fence,
                busy=lambda: len(self._running),
                counts=self._counts,
            ),
            watch=watchdog.watch("pulse"),
        )
        self._name = registration.name
        #: The node was drained before this worker came: it claims nothing until somebody resumes it.
        self._on_hold = registration.held is not None
        self._limit = DrainLimit(
            grace_seconds=self._conf.drain_seconds + self._conf.kill_wait_seconds,
            short_seconds=self._conf.kill_wait_seconds,
            unfinished=self._unfinished,
        )
        self._unwritten = self._unstopped = 0
        self._slots: Slots[Job] = Slots(concurrency, self._serve)
        self._changed = threading.Condition()
        #: How many are claimed and not ended: running, or waiting for a slot.
        self._held = 0
        self._claimed_at = 0.0
        self._prefetch = Prefetch()
        self._look_ahead()
        #: How long to wait before the queue is looked at again although nobody announced anything.
        self._pause = self._conf.poll_seconds
        self._running: dict[int, HandlerContext] = {}
        self._more = True
        self._stops = 0
        self._fenced = ""
        self._giving_up = False
        #: Leases whose threads could not be stopped; they end with this process.
        self._given_up: set[int] = set()
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
        return bool(self._given_up)

    def metrics(self) -> Iterable[Metric]:
        """Return this worker's own numbers for Prometheus; may be called from any thread."""
        return worker_metrics(self._counts(), slots=self._size, busy=len(self._running), unwritten=self._writer.backlog)

    def run(self) -> None:
        """Claim and run until `stop`, or until a thread cannot be stopped; then drain."""
        if taken := self._claimer.recover().count:
            self._tell(f"took over {taken} from the worker before it")
        self._writer.start()
        self._pulse.start()
        try:
            self._claim_until_stopped()
            self._drain()
        finally:
            self._watch.end()
            self._slots.close()
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

    # The claim loop

    def _claim_until_stopped(self) -> None:
        pause, next_line = 0.2, time.monotonic() + 60
        reconcile_at = time.monotonic() + RECONCILE_SECONDS
        while not self._stops and not self._fenced and not self._given_up:
            self._watch.turned(rest=self._pause)
            if not (self._writer.alive and self._pulse.alive):
                raise WorkerBroken("A thread of this worker ended unexpectedly; its traceback is above.")
            try:
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
            if time.monotonic() >= next_line:
                self._say()
                next_line += 60

    def _wants_more(self) -> bool:
        """Whether there is room for a claim that is worth its statement, and probably something to claim."""
        self._look_ahead()
        worth = self._more and self._held <= self._low_water
        return worth and not self._on_hold and self._writer.backlog < BACK_PRESSURE

    def _look_ahead(self) -> None:
        """Decide anew how much to hold: all that the slots can take, and what they get through in a moment."""
        ahead = self._prefetch.ahead(self._size)
        self._capacity = self._size + ahead
        #: With so many held or fewer, a claim is worth its statement.
        # An idle slot is worth any claim; room behind busy ones only a large one.
        self._low_water = max(self._size - 1, ahead // 2)

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            woken = self._changed.wait_for(
                lambda: self._stops or self._fenced or self._given_up or self._wants_more(), seconds
            )
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
        self._totals["claimed"] += len(jobs)
        # Where something was, more is likely to come soon.
        self._pause = min(SHORTEST_PAUSE, self._conf.poll_seconds)
        with self._changed:
            self._held += len(jobs)
            self._claimed_at = time.monotonic()
        self._slots.put(jobs)

    # A slot's thread

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

    def _run_job(self, job: Job) -> bool:
        """Run and report; False when the attempt was given up meanwhile, and everything is done already."""
        claimed, definition = job.claimed, job.definition
        if self._fenced:
            return True
        log = LogBuffer(claimed, self._clock, self._conf)
        if definition is None:
            message = "The task was deleted before this instance ran."
            self._writer.ended(Ended(_report(claimed, ExecutionState.FAILED, Reason.TASK_DELETED, message), log))
            return True
        context = make_context(
            claimed,
            definition,
            sink=log.write,
            connection_urls=connection_urls(claimed.namespace_id),
            on_stuck=partial(self._give_up, claimed, definition, log, threading.get_ident()),
        )
        self._running[claimed.lease_id] = context
        self._writer.follow(claimed.lease_id, log)
        watching = watch_limits(context, definition, log.write)
        report = run_attempt(claimed, definition, self._handlers.get(claimed.handler), context, job.params)
        for alarm in watching:
            alarm.cancel()
        # One step, so that either this thread or whoever gives it up reports.
        if self._running.pop(claimed.lease_id, None) is None:
            return False
        self._hand_over(report, claimed, definition, log)
        return True

    def _hand_over(self, report: Report, claimed: Claimed, definition: Definition, log: LogBuffer) -> None:
        if self._fenced:
            return
        if self._giving_up and report.state is ExecutionState.CANCELLED:
            report = _interrupted(claimed, definition, self._conf)
        self._writer.ended(Ended(report, log))

    def _give_up(self, claimed: Claimed, definition: Definition, log: LogBuffer, thread: int) -> None:
        """Go on without an attempt whose thread does not stop: report it, take nothing new, and be replaced."""
        context = self._running.pop(claimed.lease_id, None)
        if context is None:
            return  # it has just ended after all
        context.abandon()
        self._given_up.add(claimed.lease_id)
        log.write(NOTE, gettext("Its thread could not be stopped. It is here:") + "\n" + where_it_is(thread))
        self._hand_over(stuck_report(claimed, definition, context), claimed, definition, log)
        logger.error(
            "the thread of execution %d of %s could not be stopped",
            claimed.lease_id,
            definition.name,
            extra={"action": "thread_stuck", "execution_id": claimed.lease_id, "instance_id": claimed.instance_id},
        )
        self._tell(
            f"execution {claimed.lease_id} of {definition.name} could not be stopped; taking nothing new, "
            "this process is replaced when the rest has ended"
        )
        with self._changed:
            # Only now, so that the drain waits for the report.
            self._held -= 1
            self._changed.notify_all()

    def _return_stale(self) -> None:
        """Give back what was claimed ahead and has waited too long: the slots are busy with something longer."""
        # Whatever waits is at least as old as the newest claim.
        if self._slots.waiting and time.monotonic() - self._claimed_at > STALE_SECONDS:
            self._prefetch.forget()
            self._return_unstarted()

    def _return_unstarted(self) -> None:
        """Give back everything that was claimed and not started."""
        jobs = self._slots.take_back()
        with self._changed:
            self._held -= len(jobs)
            self._changed.notify_all()
        self._claimer.give_back(jobs)

    # Called by the pulse and the writer

    def _wake(self) -> None:
        with self._changed:
            self._more = True
            self._changed.notify_all()

    def _heed_stop(self) -> None:
        # From here on the limit sees to the end, also when a loop is stuck.
        self._watchdog.stop()
        self._limit.begin()
        self._wake()

    def _drain_on_request(self) -> None:
        self._tell(f"{self._name} was drained on request; `manage.py drain {self._name} --resume` lets it go on")
        self.stop()

    def _resume(self) -> None:
        self._on_hold = False
        self._tell(f"{self._name} was resumed")
        self._wake()

    def _counts(self) -> dict[str, int]:
        return {**self._totals, "seconds": int(self._prefetch.seconds)}

    def _cancel(self, leases: Collection[int], *, kill: bool = False) -> None:
        # Slots add and remove while we look; each of these look-ups is one step.
        contexts = [context for lease in leases if (context := self._running.get(lease)) is not None]
        for context in contexts:
            # Ending the work may take its grace; the pulse must go on beating meanwhile.
            threading.Thread(target=context.cancel, args=[kill], name="rota-cancel", daemon=True).start()
            give_up_later(context, kill=kill)

    def _fence(self, why: str) -> None:
        self._fenced = why
        self._unwritten += self._writer.drop()
        self._wake()
        self._cancel(list(self._running.copy()))

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
        return f"{self._writer.backlog} results are not written and {len(self._running)} executions have not ended"

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
        if self._fenced:
            self._tell(f"gave up its leases: {self._fenced}")
            self._wait_idle(self._conf.drain_seconds)
            return
        self._pulse.drain()
        self._return_unstarted()
        self._tell(f"draining, {self._held} running")
        self._wait_idle(self._conf.drain_seconds, until=lambda: self._stops > 1 or bool(self._fenced))
        if self._held and not self._fenced:
            self._giving_up = True
            leases = list(self._running.copy())
            self._tell(f"stopping {len(leases)} that did not end in time")
            self._cancel(leases)
            self._wait_idle(self._limit.left(self._conf.kill_wait_seconds))
            if left := self._held:
                self._unstopped = left
                self._tell(f"{left} did not stop either; the schedulers decide what becomes of them")
        self._writer.wait_written(timeout=self._limit.left(30))

    def _wait_idle(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._held or until(), seconds)

    def _say(self) -> None:
        ended, self._ended = self._ended, {}
        said = " · ".join(f"{word} {count}" for word, count in sorted(ended.items())) or "nothing ended"
        self._tell(f"{said} · busy {len(self._running)}/{self._size}")


def _report(claimed: Claimed, state: ExecutionState, reason: str, message: str) -> Report:
    return Report(
        instance_id=claimed.instance_id,
        lease_id=claimed.lease_id,
        scheduled_for=claimed.scheduled_for,
        state=state,
        reason=reason,
        message=message,
    )


def _interrupted(claimed: Claimed, definition: Definition, settings: WorkersConf) -> Report:
    """Report work that this worker stopped because it had to go: as lost, to be run again where that is allowed."""
    again = definition.on_worker_lost is OnWorkerLost.RETRY and claimed.losses < settings.max_losses
    report = _report(claimed, ExecutionState.LOST, Reason.WORKER_LOST, "The worker was stopped before this had ended.")
    return replace(report, retry_seconds=0.0 if again else None)
