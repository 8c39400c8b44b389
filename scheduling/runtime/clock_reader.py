"""Reading clocks ahead of time: what a scheduler knows of a task in order to fire it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scheduling.db import Connection
from scheduling.domain.errors import InvalidField
from scheduling.domain.misfire import CatchUp, plan_fire
from scheduling.domain.task_trigger import TRIGGER_FIELDS, spec_of_task
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.registry import build_trigger
from scheduling.engine.fire import Tick

_FIELDS = """
SELECT k.task_id, k.next_run_at, k.planned_from, t.created_at, t.trigger, t.cron_expression, t.timezone,
    t.every_seconds, t.anchor_at, t.run_at, t.dst_gap, t.dst_fold, t.starts_at, t.ends_at,
    t.catch_up, t.misfire_grace_seconds, t.max_catch_up
FROM rota_task_clock k JOIN rota_task t ON t.id = k.task_id
"""
_WINDOW = (
    _FIELDS
    + "WHERE k.next_run_at <= %(until)s AND NOT k.dirty AND t.enabled ORDER BY k.next_run_at, k.task_id LIMIT %(limit)s"
)
_SOME = _FIELDS + "WHERE k.task_id = ANY(%(ids)s) AND k.next_run_at IS NOT NULL AND NOT k.dirty AND t.enabled"
_DIRTY = _FIELDS + "WHERE k.dirty AND t.enabled ORDER BY k.task_id LIMIT %(limit)s"

_PLAN = """
WITH v AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::int[], %(seen)s::timestamptz[], %(planned)s::timestamptz[], %(errors)s::text[])
        AS v (task_id, seen, planned, error)
), mine AS MATERIALIZED (
    SELECT k.task_id FROM rota_task_clock k JOIN v USING (task_id)
    WHERE k.dirty AND k.planned_from = v.seen ORDER BY k.task_id FOR NO KEY UPDATE OF k SKIP LOCKED
)
UPDATE rota_task_clock k
SET dirty = false, next_run_at = coalesce(k.next_run_at, v.planned), error = v.error
FROM v JOIN mine USING (task_id) WHERE k.task_id = v.task_id
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownClock:
    """One clock as it was read, with the trigger and the policies that decide its next tick."""

    task_id: int
    next_run_at: datetime | None
    #: No tick at or before this moment is planned.
    floor: datetime
    trigger: Trigger
    catch_up: CatchUp
    grace: timedelta | None
    max_catch_up: int

    def tick(self, now: datetime) -> Tick:
        """Return what to do about the clock's tick at ``now``, by the task's policies."""
        assert self.next_run_at is not None  # noqa: S101 - only clocks with a next run are fired
        plan = plan_fire(
            due=self.next_run_at,
            now=now,
            trigger=self.trigger,
            floor=self.floor,
            catch_up=self.catch_up,
            grace=self.grace,
            max_catch_up=self.max_catch_up,
        )
        message = ""
        if not plan.runs:
            message = f"{plan.missed_count} missed, since {plan.missed_since:%Y-%m-%d %H:%M:%S} UTC; not caught up."
        return Tick(
            task_id=self.task_id,
            expect=self.next_run_at,
            next_run_at=plan.next_run_at,
            fire_for=plan.fire_for,
            runs=plan.runs,
            missed_count=plan.missed_count if plan.missed_since else None,
            missed_since=plan.missed_since,
            message=message,
        )

    def warm_up(self) -> None:
        """Compute the tick after the next one now, so that it costs nothing at the moment of firing."""
        if self.next_run_at is not None:
            self.trigger.next_after(max(self.next_run_at, self.floor))


def _known(row: Sequence[Any]) -> KnownClock:
    catch_up, grace, max_catch_up = row[14:17]
    return KnownClock(
        task_id=row[0],
        next_run_at=row[1],
        floor=row[2],
        trigger=build_trigger(
            spec_of_task(task_id=row[0], created_at=row[3], **dict(zip(TRIGGER_FIELDS, row[4:14], strict=True)))
        ),
        catch_up=CatchUp(catch_up),
        grace=None if grace is None else timedelta(seconds=grace),
        max_catch_up=max_catch_up,
    )


def _readable(rows: Collection[Sequence[Any]]) -> list[KnownClock]:
    clocks = []
    for row in rows:
        try:
            clocks.append(_known(row))
        except (InvalidField, ValueError):
            # Planning writes the reason beside the clock; a clock that cannot be read must not stop the others.
            continue
    return clocks


def read_window(conn: Connection, *, until: datetime, limit: int) -> tuple[list[KnownClock], datetime]:
    """Read the clocks that are due by ``until``, at most ``limit`` of them, without locking anything.

    Returns them and the moment up to which the answer is complete.
    """
    rows = conn.execute(_WINDOW, {"until": until, "limit": limit}).fetchall()
    complete_until = rows[-1][1] if len(rows) == limit else until
    return _readable(rows), complete_until


def read_some(conn: Connection, task_ids: Collection[int]) -> list[KnownClock]:
    """Read the clocks of ``task_ids`` anew, those that have a next run."""
    return _readable(conn.execute(_SOME, {"ids": list(task_ids)}).fetchall())


def plan_dirty(conn: Connection, *, limit: int = 1000) -> int:
    """Plan the clocks whose schedule was edited; return how many were looked at.

    A tick that was due before the edit stays on its clock. A schedule that cannot be understood stops that
    task's clock, with the reason beside it.
    """
    rows = conn.execute(_DIRTY, {"limit": limit}).fetchall()
    if not rows:
        return 0
    planned: list[datetime | None] = []
    errors: list[str] = []
    for row in rows:
        try:
            planned.append(_known(row).trigger.next_after(row[2]))
            errors.append("")
        except (InvalidField, ValueError) as error:
            planned.append(None)
            errors.append(str(error))
    conn.execute(
        _PLAN,
        {
            "ids": [row[0] for row in rows],
            "seen": [row[2] for row in rows],
            "planned": planned,
            "errors": errors,
        },
    )
    return len(rows)
