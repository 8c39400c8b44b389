"""rearm: the clocks of fixed delays go on when the instance that they wait for has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scheduling.db import Connection, sql_file

_REARM = Path(__file__).parent / "sql" / "rearm.sql"

_AWAITING = """
SELECT k.task_id, k.last_fired_for, k.planned_from FROM rota_task_clock k JOIN rota_task t ON t.id = k.task_id
WHERE k.awaits_end AND NOT k.dirty AND t.enabled ORDER BY k.task_id
"""

# An instance that is gone has ended, whenever that was.
_ENDS = """
SELECT v.task_id, CASE WHEN i.id IS NULL THEN clock_timestamp() ELSE i.finished_at END
FROM unnest(%(task_ids)s::int[], %(fired_for)s::timestamptz[]) AS v (task_id, fired_for)
LEFT JOIN rota_instance i ON i.task_id = v.task_id AND i.scheduled_for = v.fired_for AND i.fire_key = ''
    AND i.scheduled_for BETWEEN %(lo)s AND %(hi)s
WHERE i.id IS NULL OR i.finished_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Awaiting:
    """A clock that stands until the instance of its last tick ends."""

    task_id: int
    fired_for: datetime
    planned_from: datetime


@dataclass(frozen=True, slots=True)
class Rearming:
    """What such a clock shall show: None when the trigger yields nothing after that end."""

    clock: Awaiting
    next_run_at: datetime | None


def find_awaiting(conn: Connection) -> list[Awaiting]:
    """Return the clocks of enabled tasks that wait for an end. Costs next to nothing when there are none."""
    return [Awaiting(*row) for row in conn.execute(_AWAITING).fetchall()]


def find_ends(conn: Connection, clocks: Sequence[Awaiting]) -> dict[int, datetime]:
    """Return, by task, when the awaited instances ended; those that have not are missing."""
    if not clocks:
        return {}
    moments = [clock.fired_for for clock in clocks]
    params = {
        "task_ids": [clock.task_id for clock in clocks],
        "fired_for": moments,
        "lo": min(moments),
        "hi": max(moments),
    }
    return dict(conn.execute(_ENDS, params).fetchall())


def rearm(conn: Connection, rearmings: Sequence[Rearming]) -> set[int]:
    """Set the clocks of distinct tasks; return the tasks whose clock was set.

    One that another scheduler has set, that was edited or paused since, or that is being edited, is left alone.
    """
    if not rearmings:
        return set()
    params = {
        "task_ids": [each.clock.task_id for each in rearmings],
        "fired_for": [each.clock.fired_for for each in rearmings],
        "planned_from": [each.clock.planned_from for each in rearmings],
        "next_run_at": [each.next_run_at for each in rearmings],
    }
    return {row[0] for row in conn.execute(sql_file(_REARM), params).fetchall()}
