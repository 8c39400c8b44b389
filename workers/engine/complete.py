"""complete: reports of ended attempts, in batches; only the holder of the current lease is heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scheduling.db import Connection, array_of_integers, array_of_texts, sql_file
from workers.domain.states import ExecutionState

_COMPLETE = Path(__file__).parent / "sql" / "complete.sql"


# Not frozen: one is made for each job, and a frozen one takes three times as long.
@dataclass(kw_only=True, slots=True)
class Report:
    """How one attempt ended."""

    instance_id: int
    lease_id: int
    scheduled_for: datetime
    state: ExecutionState
    reason: str
    message: str = ""
    #: JSON text that PostgreSQL can store, at most 1 MiB; see `workers.domain.outcome.checked_result`.
    result: str | None = None
    #: Ask for another attempt after so many seconds; None asks for none. The attempts left decide.
    retry_seconds: float | None = None
    #: False: this attempt asked to be tried later, and is none of the task's own; the attempts left do not matter.
    counted: bool = True


@dataclass(kw_only=True, slots=True)
class Completed:
    """What became of a batch of reports."""

    #: lease id → `succeeded`, `failed`, `cancelled` or `retry`.
    accepted: dict[int, str] = field(default_factory=dict)
    #: Lease ids of reports that came too late; they changed nothing.
    stale: list[int] = field(default_factory=list)
    #: Gates and pools that got room, so that admission is due.
    gates: set[int] = field(default_factory=set)
    pools: set[int] = field(default_factory=set)
    #: Whether somebody must promote a retry later.
    retries: int = 0


def complete(conn: Connection, reports: Sequence[Report]) -> Completed:
    """Write ``reports`` in one statement; a report whose lease was lost is refused and listed as stale.

    Sending a batch again after its answer was lost is harmless: its leases no longer match. Raises
    psycopg.Error for the whole batch when the database cannot take one of the reports.
    """
    done = Completed()
    if not reports:
        return done
    moments = [report.scheduled_for for report in reports]
    rows = conn.execute(
        sql_file(_COMPLETE),
        {
            "instance_ids": array_of_integers(report.instance_id for report in reports),
            "lease_ids": array_of_integers(report.lease_id for report in reports),
            "states": array_of_texts(report.state.value for report in reports),
            "reasons": array_of_texts(report.reason for report in reports),
            "messages": array_of_texts(report.message for report in reports),
            "results": array_of_texts(report.result for report in reports),
            "retry_seconds": [report.retry_seconds for report in reports],
            "counted": [report.counted for report in reports],
            "lo": min(moments),
            "hi": max(moments),
        },
    ).fetchall()
    for _, lease_id, decision, gate, pool_id in rows:
        done.accepted[lease_id] = decision
        if decision == "retry":
            done.retries += 1
            continue
        if gate is not None:
            done.gates.add(gate)
        if pool_id is not None:
            done.pools.add(pool_id)
    done.stale = [report.lease_id for report in reports if report.lease_id not in done.accepted]
    return done
