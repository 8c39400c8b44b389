"""Executions and logs, made by the engine as a worker makes them, within the test's transaction."""

from __future__ import annotations

from datetime import UTC, datetime

from scheduling.db import callers_connection
from scheduling.models import Task, TaskInstance
from scheduling.services import run_task_now
from tests.engine.work import claimed_by, report_of
from tests.factories import make_registration, make_task
from workers.domain.states import ExecutionState
from workers.engine.claim import Claimed
from workers.engine.complete import complete
from workers.engine.nodes import Registration
from workers.engine.store_log import store_log
from workers.runtime.log_buffer import Chunk


def free_task(**over: object) -> Task:
    """A task whose instances are ready at once."""
    return make_task(**{"overlap": "allow", **over})


def running(task: Task | None = None, *, node: Registration | None = None) -> Claimed:
    """A new instance of ``task`` that runs on ``node``."""
    run_task_now(task or free_task())
    conn = callers_connection()
    (claimed,) = claimed_by(conn, node or make_registration(conn))
    return claimed


def end(claimed: Claimed, state: ExecutionState = ExecutionState.SUCCEEDED, **over: object) -> None:
    """End an execution."""
    done = complete(callers_connection(), [report_of(claimed, state, **over)])
    assert claimed.lease_id in done.accepted


def ended(task: Task | None = None, state: ExecutionState = ExecutionState.SUCCEEDED) -> TaskInstance:
    """A new instance that has run and ended."""
    claimed = running(task)
    end(claimed, state)
    return TaskInstance.objects.get(pk=claimed.instance_id)


def write_log(claimed: Claimed, *texts: str, start: int = 0) -> None:
    """Store chunks of stdout, numbered from ``start``."""
    store_log(
        callers_connection(),
        [
            Chunk(
                claimed.lease_id,
                claimed.scheduled_for,
                claimed.namespace_id,
                seq,
                "stdout",
                datetime(2026, 3, 1, 8, 0, seq % 60, tzinfo=UTC),
                text,
            )
            for seq, text in enumerate(texts, start)
        ],
    )
