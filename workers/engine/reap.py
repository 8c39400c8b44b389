"""reap: decide what becomes of work whose worker can no longer report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from scheduling.db import Connection, sql_file
from scheduling.domain.states import Reason
from workers.conf import conf
from workers.domain.states import ExecutionState

_REAP = Path(__file__).parent / "sql" / "reap.sql"
_HISTORY = Path(__file__).parent / "sql" / "reap_history.sql"

_LOST = "The worker went silent while it ran this."
_OVERDUE = "The worker did not end this at its time limit."
_EXHAUSTED = "The worker went silent while it ran this, as workers before it did; it is not tried again."
_GIVEN_UP = "The worker went silent while it ran this, and the task says not to run it again."


@dataclass(kw_only=True, slots=True)
class Reaped:
    """What one call of `reap` did."""

    #: Instances that will run again.
    again: int = 0
    ended: int = 0
    queues: set[str] = field(default_factory=set)
    #: Gates and pools that got room.
    gates: set[int] = field(default_factory=set)
    pools: set[int] = field(default_factory=set)

    @property
    def count(self) -> int:
        """How many leases were ended."""
        return self.again + self.ended


def reap(conn: Connection, *, incarnation: int | None = None, limit: int = 500) -> Reaped:
    """End up to ``limit`` leases whose worker is gone or that are long past their deadline.

    Their executions become ``lost`` (``timed_out`` past a deadline); their instances run again or fail, as the
    task's `on_worker_lost` says. A loss does not count as one of the task's own attempts, but more than
    `MAX_LOSSES` of them fail the instance. With ``incarnation``, the leases of that worker are ended whatever its
    heartbeat says: the same node has started anew. A report that comes afterwards finds no lease.
    """
    reaped = Reaped()
    with conn.transaction():
        rows = conn.execute(
            sql_file(_REAP),
            {
                "lease_seconds": conf().lease_seconds,
                "slack_seconds": conf().deadline_slack_seconds,
                "max_losses": conf().max_losses,
                "incarnation": incarnation,
                "limit": limit,
            },
        ).fetchall()
        if not rows:
            return reaped
        messages, endings, states, reasons, end_reasons = [], [], [], [], []
        for _, _, _, gate, pool_id, queue, decision, _, overdue, _, cancel_message, cancel_reason, exhausted in rows:
            if decision == "again":
                reaped.again += 1
                reaped.queues.add(queue)
            else:
                reaped.ended += 1
                if gate is not None:
                    reaped.gates.add(gate)
                if pool_id is not None:
                    reaped.pools.add(pool_id)
            messages.append(_OVERDUE if overdue else _LOST)
            states.append((ExecutionState.TIMED_OUT if overdue else ExecutionState.LOST).value)
            reasons.append((Reason.TIMED_OUT if overdue else Reason.WORKER_LOST).value)
            end_reasons.append((cancel_reason or Reason.CANCELLED.value) if decision == "cancelled" else reasons[-1])
            ending = _OVERDUE if overdue else _EXHAUSTED if exhausted else _GIVEN_UP
            endings.append((cancel_message or _LOST) if decision == "cancelled" else ending)
        moments = [row[1] for row in rows]
        conn.execute(
            sql_file(_HISTORY),
            {
                "instance_ids": [row[0] for row in rows],
                "scheduled_for": moments,
                "lease_ids": [row[2] for row in rows],
                "states": states,
                "reasons": reasons,
                "messages": messages,
                "decisions": [row[6] for row in rows],
                "attempts": [row[7] for row in rows],
                "claimed_at": [row[9] for row in rows],
                "ends": endings,
                "end_reasons": end_reasons,
                "lo": min(moments),
                "hi": max(moments),
            },
        )
    return reaped
