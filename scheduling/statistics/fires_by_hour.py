"""Fires by hour: what the definitions of all tasks say about the days to come.

Tasks with one schedule are counted together, and what a schedule does on a day is remembered, so that a hundred
thousand tasks cost about as much as the few thousand schedules that they share.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from scheduling.db import callers_connection
from scheduling.domain.errors import InvalidField
from scheduling.domain.policies import TriggerKind
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.domain.triggers.registry import EPOCH, TriggerSpec, build_trigger
from scheduling.statistics.memo import Memo
from scheduling.statistics.scope import Scope

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

#: Walking schedules that nobody has asked about yet may take so long (seconds); the next question goes on from there.
PATIENCE_SECONDS = 1.5

#: A day with more fires of one schedule is counted hour by hour and not walked.
_FEW = 36

# The parts of a definition that decide about its hours, and no others, so that as many tasks as possible share a row:
# of an interval that divides the hour every phase is alike; of any other the second is enough.
_SCHEDULES = r"""
WITH known AS (
    SELECT t.id, t.trigger, t.starts_at, t.ends_at,
        CASE t.trigger WHEN 'cron' THEN t.cron_expression ELSE '' END AS expression,
        CASE t.trigger WHEN 'cron' THEN t.timezone ELSE 'UTC' END AS zone,
        CASE t.trigger WHEN 'cron' THEN t.dst_gap || ' ' || t.dst_fold ELSE '' END AS daylight,
        CASE WHEN t.trigger = 'cron' AND strpos(lower(t.cron_expression), 'h') > 0
            AND t.cron_expression ~* '(^|\s)h(?![a-z])' THEN t.id END AS hashed,
        CASE WHEN t.trigger IN ('interval', 'fixed_delay') THEN t.every_seconds::numeric END AS every,
        CASE t.trigger
            WHEN 'interval' THEN extract(epoch FROM coalesce(t.anchor_at, date_trunc('second', t.created_at)))
            WHEN 'fixed_delay' THEN extract(epoch FROM coalesce(k.next_run_at, 'epoch')) END AS anchor,
        CASE t.trigger WHEN 'once' THEN date_trunc('hour', t.run_at, 'UTC') END AS once
    FROM rota_task t JOIN rota_task_clock k ON k.task_id = t.id
    WHERE t.enabled AND t.trigger <> 'manual'
        AND (t.trigger <> 'once' OR (t.run_at >= %(since)s AND t.run_at < %(until)s))
        AND (t.starts_at IS NULL OR t.starts_at < %(until)s) AND (t.ends_at IS NULL OR t.ends_at >= %(since)s)
        AND (%(namespaces)s::bigint[] IS NULL OR t.namespace_id = ANY(%(namespaces)s))
        AND (%(task)s::int IS NULL OR t.id = %(task)s)
)
SELECT trigger, expression, zone, daylight, hashed, every::float8,
    CASE WHEN every > 0 AND NOT (mod(3600, every) = 0 AND starts_at IS NULL AND ends_at IS NULL)
        THEN floor(mod(anchor, every)) ELSE 0 END::float8 AS phase,
    once, starts_at, ends_at, count(*), (array_agg(id ORDER BY id))[1:%(named)s]
FROM known GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ORDER BY count(*) DESC, min(id)
"""


#: Of a hundred thousand tasks, gathering their schedules takes most of a second.
_grouped: Memo[list[tuple[Any, ...]]] = Memo()


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that some tasks share."""

    trigger: Trigger
    task_count: int
    #: The first of them by id.
    task_ids: Sequence[int]


@dataclass(kw_only=True, slots=True)
class FiresByHour:
    """How many fires each hour brings, by the beginning of the hour in UTC; hours without any are left out."""

    counts: dict[datetime, int] = field(default_factory=dict)
    #: Tasks whose schedules have not been walked yet; asking again goes on.
    tasks_left: int = 0


def fires_by_hour(
    scope: Scope, *, since: datetime, until: datetime, patience_seconds: float = PATIENCE_SECONDS
) -> FiresByHour:
    """Return how many ticks the enabled tasks of ``scope`` have in each hour from ``since`` to ``until``. One query.

    Both are full hours. Calendars may skip a tick, and a fixed delay counts as if its work took no time.
    """
    found = FiresByHour()
    first_day = since.astimezone(UTC).replace(hour=0)
    days = [first_day + number * DAY for number in range((until - first_day + DAY - INSTANT) // DAY)]
    deadline = time.monotonic() + patience_seconds
    late = False
    for schedule in schedules(scope, since=since, until=until):
        late = late or time.monotonic() > deadline
        if late:
            found.tasks_left += schedule.task_count
            continue
        for day in days:
            for hour, count in _fires_of_day(schedule.trigger, day):
                at = day + hour * HOUR
                found.counts[at] = found.counts.get(at, 0) + count * schedule.task_count
    found.counts = {at: count for at, count in found.counts.items() if since <= at < until}
    return found


def schedules(scope: Scope, *, since: datetime, until: datetime, named: int = 1) -> list[Schedule]:
    """Return the schedules of the enabled tasks of ``scope``, the most shared first, each with ``named`` tasks."""
    found: list[Schedule] = []
    for *fields, count, ids in _grouped.get((scope, since, until, named), partial(_group, scope, since, until, named)):
        try:
            found.append(Schedule(_trigger_of(*fields), count, ids))
        except (InvalidField, ValueError):
            # A schedule that cannot be read fires nothing; the task's own page says why.
            continue
    return found


def _group(scope: Scope, since: datetime, until: datetime, named: int) -> list[tuple[Any, ...]]:
    params = {**scope.params, "since": since, "until": until, "named": named}
    with callers_connection().cursor() as cursor:
        return cursor.execute(_SCHEDULES, params).fetchall()


def fires_within(trigger: Trigger, since: datetime, until: datetime) -> int:
    """Return how many fires lie in [``since``, ``until``), both full hours."""
    return trigger.count_between(since - INSTANT, until - INSTANT, cap=1_000_000)


def _trigger_of(
    kind: str,
    expression: str,
    zone: str,
    daylight: str,
    hashed: int | None,
    every: float | None,
    phase: float,
    once: datetime | None,
    starts_at: datetime | None,
    ends_at: datetime | None,
) -> Trigger:
    spec: dict[str, Any] = {"kind": kind, "starts_at": starts_at, "ends_at": ends_at}
    match kind:
        case TriggerKind.CRON:
            gap, fold = daylight.split()
            hash_id = "" if hashed is None else str(hashed)
            spec |= {"cron_expression": expression, "timezone": zone, "dst_gap": gap, "dst_fold": fold}
            spec |= {"hash_id": hash_id}
        case TriggerKind.ONCE:
            spec |= {"at": once}
        case _:
            anchor = EPOCH + timedelta(seconds=phase)
            spec |= {"kind": TriggerKind.INTERVAL.value, "every_seconds": every, "anchor": anchor}
    return build_trigger(TriggerSpec(**spec))


@lru_cache(maxsize=1 << 16)
def _fires_of_day(trigger: Trigger, day: datetime) -> tuple[tuple[int, int], ...]:
    """Return the hours of a day of UTC that have fires, with their numbers; most schedules have few."""
    counts = [0] * 24
    after, end = day - INSTANT, day + DAY
    for _ in range(_FEW):
        fire = trigger.next_after(after)
        if fire is None or fire >= end:
            return _with_fires(counts)
        counts[fire.hour] += 1
        after = fire
    return _with_fires([fires_within(trigger, day + hour * HOUR, day + (hour + 1) * HOUR) for hour in range(24)])


def _with_fires(counts: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((hour, count) for hour, count in enumerate(counts) if count)
