"""fire: due ticks become instances, each at most once, whoever else tries at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from scheduling.db import Connection, sql_file
from scheduling.domain.states import EntryState, Reason
from scheduling.engine.admission_lock import lock_gates
from scheduling.engine.partitions import (
    create_partitions,
    days_of,
    forget_known_partitions,
    is_missing_partition,
)

_FIRE = Path(__file__).parent / "sql" / "fire.sql"


@dataclass(kw_only=True, slots=True)
class Tick:
    """One due tick and what the policies say about it."""

    task_id: int
    #: What the clock showed when the tick was planned; if it shows something else by now, the tick is not ours.
    expect: datetime
    #: What the clock shall show afterwards; None ends the trigger.
    next_run_at: datetime | None
    #: The moment that the instance stands for.
    fire_for: datetime
    #: When it may start: later than `fire_for` by its jitter. None: at once.
    run_at: datetime | None = None
    #: False: the tick becomes a `skipped` row that says what was passed over, and for which `reason`.
    runs: bool = True
    reason: Reason = Reason.MISFIRE
    missed_count: int | None = None
    missed_since: datetime | None = None
    message: str = ""


@dataclass(kw_only=True, slots=True)
class Fired:
    """What one call of `fire` did."""

    #: Ticks whose clock we advanced. The others were fired, edited or held by somebody else, or are early.
    task_ids: list[int] = field(default_factory=list)
    instances: int = 0
    #: Queues that got something to claim.
    queues: set[str] = field(default_factory=set)
    #: Gates at which new entries wait for admission.
    gates: set[int] = field(default_factory=set)
    #: The first moment at which one of the new entries, held back by its jitter, becomes due.
    next_promotion: datetime | None = None


def fire(conn: Connection, ticks: Sequence[Tick]) -> Fired:
    """Fire ``ticks``, of distinct tasks, in one transaction that either happens as a whole or not at all.

    Losing a tick to another scheduler, or to an edit, is an ordinary result: it is missing from
    `Fired.task_ids`. A day without a partition gets one. ``conn`` must be in autocommit.
    """
    if not ticks:
        return Fired()
    params = {
        "task_ids": [tick.task_id for tick in ticks],
        "expect": [tick.expect for tick in ticks],
        "next_run_at": [tick.next_run_at for tick in ticks],
        "fire_for": [tick.fire_for for tick in ticks],
        "run_at": [tick.run_at or tick.fire_for for tick in ticks],
        "reason": ["" if tick.runs else tick.reason.value for tick in ticks],
        "missed_count": [tick.missed_count for tick in ticks],
        "missed_since": [tick.missed_since for tick in ticks],
        "message": [tick.message for tick in ticks],
    }
    try:
        rows = _fire(conn, params)
    except psycopg.errors.CheckViolation as error:
        if not is_missing_partition(error):
            raise
        # What we remember may have been dropped by somebody else.
        forget_known_partitions()
        create_partitions(conn, days_of(tick.fire_for for tick in ticks))
        rows = _fire(conn, params)
    fired = Fired()
    for task_id, inserted, queue, gate, state, run_at in rows:
        fired.task_ids.append(task_id)
        fired.instances += bool(inserted)
        if state == EntryState.PLANNED:
            fired.next_promotion = min(fired.next_promotion or run_at, run_at)
        elif state == EntryState.WAITING:
            fired.gates.add(gate)
        elif queue is not None:
            fired.queues.add(queue)
    return fired


def _fire(conn: Connection, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Take the gates, then fire, in one transaction and one round trip."""
    with conn.pipeline(), conn.transaction():
        lock_gates(conn, params["task_ids"])
        cursor = conn.execute(sql_file(_FIRE), params)
    return cursor.fetchall()
