"""Attempts: what a worker runs at this moment; each is watched, stopped when somebody asks, and reported once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from django.utils.translation import gettext

from scheduling.domain.clock import DatabaseClock
from scheduling.domain.policies import OnWorkerLost
from scheduling.domain.states import Reason
from workers.conf import WorkersConf
from workers.domain.states import ExecutionState
from workers.engine.claim import Claimed
from workers.engine.complete import Report
from workers.handlers.base import Handler, HandlerContext
from workers.runtime.claimer import Job
from workers.runtime.connection_urls import connection_urls
from workers.runtime.definitions import Definition
from workers.runtime.log_buffer import NOTE, LogBuffer
from workers.runtime.runner import make_context, run_attempt, stuck_report
from workers.runtime.time_limits import give_up_later, watch_limits, where_it_is
from workers.runtime.writer import Ended, Writer

logger = logging.getLogger(__name__)


class Attempts:
    """Runs jobs, each in the thread that calls `run`, and hands their reports to the writer."""

    def __init__(
        self,
        *,
        handlers: Mapping[str, Handler[Any]],
        conf: WorkersConf,
        clock: DatabaseClock,
        writer: Writer,
        report: Callable[[str], None],
        on_given_up: Callable[[], None],
    ) -> None:
        """``report`` takes lines for people; ``on_given_up`` is told that a slot is free although its thread is not."""
        self._handlers, self._conf, self._clock, self._writer = handlers, conf, clock, writer
        self._tell, self._on_given_up = report, on_given_up
        self._running: dict[int, HandlerContext] = {}
        self._fenced = self._interrupting = False
        #: Leases whose threads could not be stopped; they end with this process.
        self._given_up: set[int] = set()

    def __len__(self) -> int:
        return len(self._running)

    @property
    def some_given_up(self) -> bool:
        """Whether a thread could not be stopped, so that only the end of this process ends it."""
        return bool(self._given_up)

    def run(self, job: Job) -> bool:
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

    def cancel(self, leases: Collection[int], *, kill: bool = False) -> None:
        """Ask those of ``leases`` that run to stop, or with ``kill`` end them without a grace; returns at once."""
        # Slots add and remove while we look; each of these look-ups is one step.
        contexts = [context for lease in leases if (context := self._running.get(lease)) is not None]
        for context in contexts:
            # Ending the work may take its grace; the pulse must go on beating meanwhile.
            threading.Thread(target=context.cancel, args=[kill], name="rota-cancel", daemon=True).start()
            give_up_later(context, kill=kill)

    def interrupt(self) -> None:
        """Stop everything because this worker has to go: what obeys is reported as lost, not as cancelled."""
        self._interrupting = True
        self.cancel_all()

    def disown(self) -> None:
        """Report nothing from here on, and start nothing: the leases are lost, and others decide."""
        self._fenced = True

    def cancel_all(self) -> None:
        """Ask everything that runs to stop; returns at once."""
        self.cancel(list(self._running.copy()))

    def _hand_over(self, report: Report, claimed: Claimed, definition: Definition, log: LogBuffer) -> None:
        if self._fenced:
            return
        if self._interrupting and report.state is ExecutionState.CANCELLED:
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
        # Only now, so that the drain waits for the report.
        self._on_given_up()


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
