"""complete: reports of ended attempts, in batches; only the holder of the current lease is heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path

from scheduling.db import Connection, array_of_integers, array_of_texts, sql_file
from scheduling.engine.partitions import days_of, partition_name
from scheduling.kept_plans import keeps_plans, planned_freely
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
    first, last = min(moments), max(moments)
    params = {
        "instance_ids": array_of_integers(report.instance_id for report in reports),
        "lease_ids": array_of_integers(report.lease_id for report in reports),
        "states": array_of_texts(report.state.value for report in reports),
        "reasons": array_of_texts(report.reason for report in reports),
        "messages": array_of_texts(report.message for report in reports),
        "results": array_of_texts(report.result for report in reports),
        "retry_seconds": [report.retry_seconds for report in reports],
        "counted": [report.counted for report in reports],
        "lo": first,
        "hi": last,
    }
    days = days_of((first, last))
    if len(days) == 1 and keeps_plans(conn):
        rows = conn.execute(_statement_of_day(*days), params, prepare=True).fetchall()
    else:
        with planned_freely(conn):
            rows = conn.execute(_statement(), params).fetchall()
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


_EXECUTION, _INSTANCE = "rota_execution", "rota_instance"


@cache
def _statement() -> bytes:
    """Return the statement for instances of any days, to be planned for its very values."""
    bounds = "{0}.scheduled_for = m.scheduled_for AND {0}.scheduled_for BETWEEN %(lo)s AND %(hi)s"
    return _filled_in(
        execution=_EXECUTION,
        instance=_INSTANCE,
        execution_of_report=f"x.id = m.lease_id AND {bounds.format('x')}",
        instance_of_report=f"i.id = m.instance_id AND {bounds.format('i')}",
    )


@lru_cache(maxsize=100)
def _statement_of_day(day: date) -> bytes:
    """Return the statement for instances of one day, whose plan can be kept.

    Planning costs as much as ending twenty instances. A plan that is kept for every partition would have all of them
    locked each time; this one names the day's own tables. They are there: no day that has live work is dropped. Their
    rows can only be looked up, one by one: an equation might also be tried on all of them (in a join of sorted inputs),
    and so might the bounds, since the index holds the moment as well.
    """
    return _filled_in(
        execution=partition_name(_EXECUTION, day),
        instance=partition_name(_INSTANCE, day),
        execution_of_report="x.id = ANY(ARRAY[m.lease_id])",
        instance_of_report="i.id = ANY(ARRAY[m.instance_id])",
    )


def _filled_in(**parts: str) -> bytes:
    statement = sql_file(_COMPLETE)
    for name, part in parts.items():
        statement = statement.replace(b"{%s}" % name.encode(), part.encode())
    return statement
