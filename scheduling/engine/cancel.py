"""cancel: what has not started ends at once; what runs is asked to stop."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from scheduling.db import Connection, sql_file
from scheduling.domain.states import InstanceState, Reason
from scheduling.engine.end_unstarted import end_unstarted

_CANCEL = Path(__file__).parent / "sql" / "cancel.sql"


@dataclass(kw_only=True, slots=True)
class CancelResult:
    """Which of the instances took which way; those in neither list had ended before."""

    cancelled: list[int] = field(default_factory=list)
    #: They run; their worker is told with its next heartbeat or sooner.
    requested: list[int] = field(default_factory=list)
    #: Gates and pools that got room by it.
    gates: set[int] = field(default_factory=set)
    pools: set[int] = field(default_factory=set)


def cancel(conn: Connection, ids: Collection[int], *, message: str, kill: bool = False) -> CancelResult:
    """Cancel the instances ``ids``; ``message`` is kept as the sentence that says who and why.

    With ``kill``, what runs gets no grace; that can also be asked for after an ordinary request. Joins the caller's
    transaction if there is one. An instance that already ended is left as it is.
    """
    result = CancelResult()
    if not ids:
        return result
    with conn.transaction():
        rows = conn.execute(sql_file(_CANCEL), {"ids": sorted(ids), "message": message, "kill": kill}).fetchall()
        ended = []
        for instance_id, scheduled_for, running, gate, pool_id in rows:
            if running:
                result.requested.append(instance_id)
                continue
            result.cancelled.append(instance_id)
            ended.append((instance_id, scheduled_for))
            if gate is not None:
                result.gates.add(gate)
            if pool_id is not None:
                result.pools.add(pool_id)
        end_unstarted(conn, ended, outcome=InstanceState.CANCELLED, reason=Reason.CANCELLED, message=message)
    return result
