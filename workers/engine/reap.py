"""reap: decide what becomes of work whose worker can no longer report, or has not ended it in time."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg import sql

from scheduling.db import Connection, sql_file
from scheduling.domain.retry import Failure, RetryPolicy
from scheduling.domain.states import Reason
from workers.conf import conf
from workers.domain.states import ExecutionState
from workers.engine.complete import Report, complete

_REAP = Path(__file__).parent / "sql" / "reap.sql"
_HISTORY = Path(__file__).parent / "sql" / "reap_history.sql"
_OVERDUE_ONES = Path(__file__).parent / "sql" / "overdue.sql"

_SOME_LOST = sql.SQL("""EXISTS (SELECT FROM rota_queue_entry e
    WHERE e.state = 1 AND (e.holder = {incarnation}::bigint OR NOT EXISTS (
        SELECT FROM rota_node n WHERE n.incarnation = e.holder AND n.state <> 'stopped'
            AND n.last_seen_at > clock_timestamp() - make_interval(secs => {lease_seconds}))))""")
_SOME_OVERDUE = sql.SQL("""EXISTS (SELECT FROM rota_queue_entry e
    WHERE e.state = 1 AND e.deadline_at < clock_timestamp() - make_interval(secs => {slack_seconds}))""")

_LOST = "The worker went silent while it ran this."
_OVERDUE = "The worker did not end this at its time limit."
_EXHAUSTED = "The worker went silent while it ran this, as workers before it did; it is not tried again."
_GIVEN_UP = "The worker went silent while it ran this, and the task says not to run it again."


@dataclass(kw_only=True, slots=True)
class Reaped:
    """What one call of `reap` did."""

    #: Instances that will run again.
    again: int = 0
    #: Those of them that wait for the delay of a retry first, so that somebody must promote them.
    delayed: int = 0
    ended: int = 0
    queues: set[str] = field(default_factory=set)
    #: Gates and pools that got room.
    gates: set[int] = field(default_factory=set)
    pools: set[int] = field(default_factory=set)

    @property
    def count(self) -> int:
        """How many leases were ended."""
        return self.again + self.ended


def to_reap() -> sql.Composed:
    """Return the SQL expression that is true when `reap` has something to do, which is nearly never."""
    return sql.SQL(" OR ").join(_conditions())


def reap(conn: Connection, *, incarnation: int | None = None, limit: int = 500) -> Reaped:
    """End up to ``limit`` leases whose worker is gone, and as many that are long past their deadline.

    Of the former, executions become ``lost``; their instances run again or fail, as the task's `on_worker_lost`
    says. A loss does not count as one of the task's own attempts, but more than `MAX_LOSSES` of them fail the
    instance. Of the latter, executions become ``timed_out``, and the task's retries decide, as if the worker had
    reported it: its `kill_grace_seconds` and a slack are granted first. With ``incarnation``, the leases of that
    worker are ended whatever its heartbeat says: the same node has started anew. A report that comes afterwards finds
    no lease.
    """
    reaped = Reaped()
    values = {
        "lease_seconds": conf().lease_seconds,
        "slack_seconds": conf().deadline_slack_seconds,
        "max_losses": conf().max_losses,
        "incarnation": incarnation,
        "limit": limit,
    }
    found = conn.execute(sql.SQL("SELECT {}, {}").format(*_conditions(incarnation))).fetchone()
    some_lost, some_overdue = found or (False, False)
    if some_lost:
        _end_lost(conn, values, reaped)
    if some_overdue:
        _end_overdue(conn, values, reaped)
    return reaped


def _conditions(incarnation: int | None = None) -> tuple[sql.Composed, sql.Composed]:
    return (
        _SOME_LOST.format(incarnation=sql.Literal(incarnation), lease_seconds=sql.Literal(conf().lease_seconds)),
        _SOME_OVERDUE.format(slack_seconds=sql.Literal(conf().deadline_slack_seconds)),
    )


def _end_lost(conn: Connection, values: Mapping[str, Any], reaped: Reaped) -> None:
    with conn.transaction():
        rows = conn.execute(sql_file(_REAP), values).fetchall()
        if not rows:
            return
        endings, end_reasons = [], []
        for _, _, _, gate, pool_id, queue, decision, _, _, cancel_message, cancel_reason, exhausted in rows:
            if decision == "again":
                reaped.again += 1
                reaped.queues.add(queue)
            else:
                reaped.ended += 1
                if gate is not None:
                    reaped.gates.add(gate)
                if pool_id is not None:
                    reaped.pools.add(pool_id)
            if decision == "cancelled":
                end_reasons.append(cancel_reason or Reason.CANCELLED.value)
                endings.append(cancel_message or _LOST)
            else:
                end_reasons.append(Reason.WORKER_LOST.value)
                endings.append(_EXHAUSTED if exhausted else _GIVEN_UP)
        moments = [row[1] for row in rows]
        conn.execute(
            sql_file(_HISTORY),
            {
                "instance_ids": [row[0] for row in rows],
                "scheduled_for": moments,
                "lease_ids": [row[2] for row in rows],
                "state": ExecutionState.LOST.value,
                "reason": Reason.WORKER_LOST.value,
                "message": _LOST,
                "decisions": [row[6] for row in rows],
                "attempts": [row[7] for row in rows],
                "claimed_at": [row[8] for row in rows],
                "ends": endings,
                "end_reasons": end_reasons,
                "lo": min(moments),
                "hi": max(moments),
            },
        )


def _end_overdue(conn: Connection, values: Mapping[str, Any], reaped: Reaped) -> None:
    with conn.transaction():
        rows = conn.execute(sql_file(_OVERDUE_ONES), values).fetchall()
        done = complete(
            conn,
            [
                Report(
                    instance_id=instance_id,
                    lease_id=lease_id,
                    scheduled_for=scheduled_for,
                    state=ExecutionState.TIMED_OUT,
                    reason=Reason.TIMED_OUT.value,
                    message=_OVERDUE,
                    # What was to be cancelled asks for a retry, which loses to that.
                    retry_seconds=0.0 if cancelled else _retry(definition, attempts),
                )
                for instance_id, lease_id, scheduled_for, attempts, cancelled, definition in rows
            ],
        )
    reaped.delayed += done.retries
    reaped.again += done.retries
    reaped.ended += len(done.accepted) - done.retries
    reaped.gates |= done.gates
    reaped.pools |= done.pools


def _retry(definition: Mapping[str, Any] | None, attempts: int) -> float | None:
    if definition is None:
        return None
    failure = Failure(kinds=frozenset({Reason.TIMED_OUT.value}))
    # Jitter spreads load; nobody gains by guessing it.
    return RetryPolicy.of(definition).delay_after_failure(failure, attempts, chance=random.random())  # noqa: S311 - see above
