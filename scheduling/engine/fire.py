"""fire: due ticks become instances, each at most once, whoever else tries at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Cursor
from psycopg.pq import TransactionStatus

from scheduling.db import Connection, array_of_integers, array_of_moments, array_of_texts, sql_file
from scheduling.domain.states import Reason
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
    #: What its schedule was planned from, as the clock said then; another means that it was edited since, and that the
    #: new schedule decides. None: whatever it is.
    planned_from: datetime | None = None
    #: The version of the task, asked for where `planned_from` may be the same after an edit. None: whatever it is.
    version: int | None = None
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


class PreparedTicks:
    """Ticks, of distinct tasks, as the statement takes them. Preparing needs no database, and can be done ahead."""

    def __init__(self, ticks: Sequence[Tick]) -> None:
        self.ticks = ticks
        self.params = _params(ticks)


def fire(
    conn: Connection, ticks: Sequence[Tick] | PreparedTicks, *, meanwhile: Callable[[], None] | None = None
) -> Fired:
    """Fire ``ticks``, of distinct tasks, in one transaction that either happens as a whole or not at all.

    Losing a tick to another scheduler, or to an edit, is an ordinary result: it is missing from
    `Fired.task_ids`. A day without a partition gets one. ``conn`` must be in autocommit; within a transaction of the
    caller it is a savepoint. ``meanwhile`` is called once while the server is at work, and must not use ``conn``; what
    it raises is raised, and undoes nothing.
    """
    prepared = ticks if isinstance(ticks, PreparedTicks) else PreparedTicks(ticks)
    if not prepared.ticks:
        return Fired()
    waiting = [meanwhile] if meanwhile is not None else []

    def once() -> None:
        if waiting:
            waiting.pop()()

    try:
        row = _fire(conn, prepared, once)
    except psycopg.errors.CheckViolation as error:
        if not is_missing_partition(error):
            raise
        # What we remember may have been dropped by somebody else.
        forget_known_partitions()
        create_partitions(conn, days_of(tick.fire_for for tick in prepared.ticks))
        # The server may have refused before it was time for what is done meanwhile.
        row = _fire(conn, prepared, once)
    task_ids, instances, queues, gates, next_promotion = row
    return Fired(
        task_ids=list(map(int, task_ids.split(","))) if task_ids else [],
        instances=instances,
        queues=set(queues),
        gates=set(gates),
        next_promotion=next_promotion,
    )


def _params(ticks: Sequence[Tick]) -> dict[str, str]:
    """Return the arrays of the statement; what is the same as usual for every tick is an empty one."""
    usual = "{}"
    return {
        "task_ids": array_of_integers(tick.task_id for tick in ticks),
        "expect": array_of_moments([tick.expect for tick in ticks]),
        "planned_from": array_of_moments([tick.planned_from for tick in ticks])
        if any(tick.planned_from is not None for tick in ticks)
        else usual,
        "version": array_of_texts(None if tick.version is None else str(tick.version) for tick in ticks)
        if any(tick.version is not None for tick in ticks)
        else usual,
        "next_run_at": array_of_moments([tick.next_run_at for tick in ticks]),
        "fire_for": array_of_moments([tick.fire_for for tick in ticks])
        if any(tick.fire_for != tick.expect for tick in ticks)
        else usual,
        "run_at": array_of_moments([tick.run_at for tick in ticks])
        if any(tick.run_at is not None for tick in ticks)
        else usual,
        "reason": array_of_texts(None if tick.runs else tick.reason.value for tick in ticks)
        if not all(tick.runs for tick in ticks)
        else usual,
        "missed_count": array_of_texts(None if tick.missed_count is None else str(tick.missed_count) for tick in ticks)
        if any(tick.missed_count is not None for tick in ticks)
        else usual,
        "missed_since": array_of_moments([tick.missed_since for tick in ticks])
        if any(tick.missed_since is not None for tick in ticks)
        else usual,
        "message": array_of_texts(tick.message for tick in ticks) if any(tick.message for tick in ticks) else usual,
    }


def _fire(conn: Connection, prepared: PreparedTicks, meanwhile: Callable[[], None]) -> tuple[Any, ...]:
    """Take the gates, then fire, in one transaction and one round trip."""
    if conn.info.transaction_status is not TransactionStatus.IDLE:
        # Somebody else's transaction, such as a virtual world's: never ended here.
        with conn.transaction():
            cursor = _send(conn, prepared)
        meanwhile()
    else:
        cursor = _fire_alone(conn, prepared, meanwhile)
    row = cursor.fetchone()
    assert row is not None  # noqa: S101 - a SELECT of aggregates has one row
    return row


def _fire_alone(conn: Connection, prepared: PreparedTicks, meanwhile: Callable[[], None]) -> Cursor[tuple[Any, ...]]:
    try:
        with conn.pipeline():
            conn.execute("BEGIN")
            cursor = _send(conn, prepared)
            conn.execute("COMMIT")
            # All of it is on its way, the end too: however long this takes, nothing stays locked for it.
            meanwhile()
    except BaseException:
        if not conn.closed and conn.info.transaction_status is not TransactionStatus.IDLE:
            conn.execute("ROLLBACK")
        raise
    return cursor


def _send(conn: Connection, prepared: PreparedTicks) -> Cursor[tuple[Any, ...]]:
    lock_gates(conn, [tick.task_id for tick in prepared.ticks], row_by_row=True)
    return conn.execute(sql_file(_FIRE), prepared.params, prepare=True)
