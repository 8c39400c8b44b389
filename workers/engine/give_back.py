"""give_back: claimed work that was not started returns to the queue unharmed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scheduling.db import Connection, sql_file
from scheduling.domain.states import InstanceState, Reason
from scheduling.engine.end_unstarted import end_unstarted
from workers.engine.claim import Claimed

_GIVE_BACK = Path(__file__).parent / "sql" / "give_back.sql"


_FORGOTTEN = """
SELECT instance_id, lease_id, scheduled_for FROM rota_queue_entry
WHERE holder = %(incarnation)s AND state = 1 AND lease_id <> ALL(%(known)s::bigint[])
"""


@dataclass(kw_only=True, slots=True)
class GivenBack:
    """What one call of `give_back` did."""

    #: Queues that got something.
    queues: set[str] = field(default_factory=set)
    #: What somebody had asked to stop meanwhile has ended as cancelled instead.
    cancelled: int = 0
    #: Gates and pools that got room by that.
    gates: set[int] = field(default_factory=set)
    pools: set[int] = field(default_factory=set)


def give_back(conn: Connection, claims: Sequence[Claimed]) -> GivenBack:
    """Return ``claims`` to the queue, with no trace of an attempt; what shall be cancelled ends here, unstarted.

    A claim whose lease was lost meanwhile is left alone.
    """
    return _give_back(conn, [(each.instance_id, each.lease_id, each.scheduled_for) for each in claims])


def give_back_forgotten(conn: Connection, *, incarnation: int, known: Collection[int]) -> GivenBack:
    """Return what ``incarnation`` holds and does not know of: all its leases but ``known``.

    For a worker that may have missed the answer to a claim.
    """
    rows = conn.execute(_FORGOTTEN, {"incarnation": incarnation, "known": list(known)}).fetchall()
    return _give_back(conn, rows)


def _give_back(conn: Connection, leases: Sequence[tuple[int, int, datetime]]) -> GivenBack:
    given = GivenBack()
    if not leases:
        return given
    moments = [scheduled_for for _, _, scheduled_for in leases]
    with conn.transaction():
        rows = conn.execute(
            sql_file(_GIVE_BACK),
            {
                "instance_ids": [instance_id for instance_id, _, _ in leases],
                "lease_ids": [lease_id for _, lease_id, _ in leases],
                "lo": min(moments),
                "hi": max(moments),
            },
        ).fetchall()
        for instance_id, scheduled_for, queue, gate, pool_id, cancelled, cancel_reason, cancel_message in rows:
            if not cancelled:
                given.queues.add(queue)
                continue
            given.cancelled += 1
            if gate is not None:
                given.gates.add(gate)
            if pool_id is not None:
                given.pools.add(pool_id)
            conn.execute("DELETE FROM rota_queue_entry WHERE instance_id = %s", [instance_id])
            end_unstarted(
                conn,
                [(instance_id, scheduled_for)],
                outcome=InstanceState.CANCELLED,
                reason=cancel_reason or Reason.CANCELLED,
                message=cancel_message or "",
            )
    return given
