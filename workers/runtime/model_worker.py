"""ModelWorker: claims and reports like a worker, and runs nothing. For simulations on a virtual clock."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduling.db import Connection
from scheduling.domain.retry import RetryPolicy
from scheduling.domain.states import Reason
from scheduling.engine.admit import admit
from workers.domain.states import ExecutionState
from workers.engine.claim import Claimed, claim
from workers.engine.complete import Report, complete
from workers.engine.nodes import Registration, register

_LANES = "SELECT array_agg(DISTINCT queue), array_agg(DISTINCT handler), count(*) FROM rota_queue_entry WHERE state = 0"

_READ = "SELECT definition::text FROM rota_task_revision WHERE task_id = %s AND version = %s"


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """How long one attempt lasts, and whether it succeeds."""

    lasts: timedelta = timedelta(seconds=1)
    succeeds: bool = True


class ModelWorker:
    """Takes everything that is ready, as many at once as there are, and reports what ``model`` says of a task's name.

    Time limits hold: an attempt that would last longer ends as timed out at its limit.
    """

    def __init__(self, model: Callable[[str], Work]) -> None:
        self._model = model
        self._node: Registration | None = None
        self._running: list[tuple[datetime, int, Report]] = []

    def next_end(self) -> datetime | None:
        """Return the moment at which the next attempt ends; None while nothing runs."""
        return self._running[0][0] if self._running else None

    def work(self, conn: Connection, now: datetime) -> bool:
        """Report what has ended by ``now``, then claim what is ready; tell whether something is to be tried again."""
        reports = []
        while self._running and self._running[0][0] <= now:
            reports.append(heapq.heappop(self._running)[2])
        done = complete(conn, reports)
        admit(conn, done.gates, done.pools)
        self._claim(conn, now)
        return done.retries > 0

    def _claim(self, conn: Connection, now: datetime) -> None:
        row = conn.execute(_LANES).fetchone()
        if row is None or not row[2]:
            return
        queues, handlers, count = row
        if self._node is None:
            self._node = register(
                conn,
                name="model-worker",
                host="nowhere",
                pid=0,
                queues=[],
                handlers=[],
                known_handlers=[],
                slots=0,
                version="",
            )
        claimed = claim(
            conn,
            node_id=self._node.node_id,
            incarnation=self._node.incarnation,
            queues=queues,
            handlers=handlers,
            slots=count,
        )
        for attempt in claimed:
            ends_at, report = self._foresee(conn, attempt, now)
            heapq.heappush(self._running, (ends_at, attempt.lease_id, report))

    def _foresee(self, conn: Connection, attempt: Claimed, now: datetime) -> tuple[datetime, Report]:
        row = conn.execute(_READ, [attempt.task_id, attempt.task_version]).fetchone()
        assert row is not None  # noqa: S101 - a trigger writes the revision together with the task
        # As text: a connection of Django's gives no other form.
        definition = json.loads(row[0])
        retry = RetryPolicy.of(definition)
        work = self._model(definition["name"])
        lasts, state = work.lasts, ExecutionState.SUCCEEDED if work.succeeds else ExecutionState.FAILED
        reason = Reason.COMPLETED if work.succeeds else Reason.EXCEPTION
        limit = None if attempt.timeout_seconds is None else timedelta(seconds=attempt.timeout_seconds)
        if limit is not None and lasts > limit:
            lasts, state, reason = limit, ExecutionState.TIMED_OUT, Reason.TIMED_OUT
        retry_seconds = None
        if state is not ExecutionState.SUCCEEDED:
            # The longest delay that the backoff can draw, so that two simulations agree.
            retry_seconds = retry.delay_after(attempt.attempt, chance=1.0)
        report = Report(
            instance_id=attempt.instance_id,
            lease_id=attempt.lease_id,
            scheduled_for=attempt.scheduled_for,
            state=state,
            reason=reason.value,
            retry_seconds=retry_seconds,
        )
        return now + lasts, report
