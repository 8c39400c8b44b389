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
from scheduling.domain.triggers.interval import IntervalTrigger
from scheduling.domain.triggers.registry import EPOCH, TriggerSpec, build_trigger
from scheduling.domain.triggers.zone import find_zone
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
        CASE t.trigger WHEN 'cron' THEN t.dst_gap ELSE '' END AS gap,
        CASE t.trigger WHEN 'cron' THEN t.dst_fold ELSE '' END AS fold,
        CASE WHEN t.trigger = 'cron' AND (t.cron_expression LIKE '%%h%%' OR t.cron_expression LIKE '%%H%%')
            AND t.cron_expression ~* '(^|\s)h(?![a-z])' THEN t.id END AS hashed,
        CASE WHEN t.trigger IN ('interval', 'fixed_delay') THEN t.every_seconds::numeric END AS every,
        CASE t.trigger
            WHEN 'interval' THEN extract(epoch FROM coalesce(t.anchor_at, date_trunc('second', t.created_at)))
            WHEN 'fixed_delay' THEN extract(epoch FROM coalesce(
                (SELECT k.next_run_at FROM rota_task_clock k WHERE k.task_id = t.id), 'epoch')) END AS anchor,
        CASE t.trigger WHEN 'once' THEN date_trunc('hour', t.run_at, 'UTC') END AS once
    FROM rota_task t
    WHERE t.enabled AND t.trigger <> 'manual'
        AND (t.trigger <> 'once' OR (t.run_at >= %(since)s AND t.run_at < %(until)s))
        AND (t.starts_at IS NULL OR t.starts_at < %(until)s) AND (t.ends_at IS NULL OR t.ends_at >= %(since)s)
        AND (%(namespaces)s::bigint[] IS NULL OR t.namespace_id = ANY(%(namespaces)s))
        AND (%(task)s::int IS NULL OR t.id = %(task)s)
        AND NOT (%(named)s = 0
            AND (t.trigger = 'cron' AND t.starts_at IS NULL AND t.ends_at IS NULL AND t.cron_expression !~ '[hH]'))
)
SELECT trigger, expression, zone, gap, fold, hashed, every::float8,
    CASE WHEN every > 0 AND NOT (mod(3600, every) = 0 AND starts_at IS NULL AND ends_at IS NULL)
        THEN floor(mod(anchor, every)) ELSE 0 END::float8 AS phase,
    once, starts_at, ends_at, count(*), CASE WHEN %(named)s = 0 THEN ARRAY[]::int[] ELSE array_agg(id) END
FROM known GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 ORDER BY count(*) DESC, min(id)
"""

# Most tasks have a cron expression and nothing else: how many share each is read from an index, without the tasks.
_PLAIN = """
SELECT 'cron', cron_expression, timezone, dst_gap, dst_fold, count(*) FROM rota_task
WHERE enabled AND trigger = 'cron' AND starts_at IS NULL AND ends_at IS NULL AND cron_expression !~ '[hH]'
    AND (%(namespaces)s::bigint[] IS NULL OR namespace_id = ANY(%(namespaces)s))
    AND (%(task)s::int IS NULL OR id = %(task)s)
GROUP BY 2, 3, 4, 5
"""

# Within a transaction, for that statement: how many groups a hundred thousand tasks make the server cannot guess, and
# so it would rather sort them, which takes twice as long as hashing.
_HASH = "SELECT set_config('work_mem', '64MB', true), set_config('enable_sort', 'off', true)"
_AS_BEFORE = "SELECT set_config('enable_sort', 'on', true)"


#: Of a hundred thousand tasks, gathering their schedules takes most of a second.
_grouped: Memo[list[tuple[Any, ...]]] = Memo()


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that some tasks share."""

    trigger: Trigger
    task_count: int
    #: The first of them by id, as many as were asked for.
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
    """Return how many ticks the enabled tasks of ``scope`` have in each hour from ``since`` to ``until``. Two queries.

    Both are full hours. Calendars may skip a tick, and a fixed delay counts as if its work took no time.
    """
    found = FiresByHour()
    first_day = since.astimezone(UTC).replace(hour=0)
    days = [first_day + number * DAY for number in range((until - first_day + DAY - INSTANT) // DAY)]
    deadline = time.monotonic() + patience_seconds
    together: dict[Trigger, int] = {}
    for schedule in schedules(scope, since=since, until=until):
        together[schedule.trigger] = together.get(schedule.trigger, 0) + schedule.task_count
    totals = [0] * (24 * len(days))
    for trigger, task_count in together.items():
        if time.monotonic() > deadline:
            found.tasks_left += task_count
            continue
        row = _fires_of_days(trigger, first_day, len(days))
        totals = [total + task_count * count for total, count in zip(totals, row, strict=True)]
    hours = ((first_day + number * HOUR, total) for number, total in enumerate(totals) if total)
    found.counts = {at: total for at, total in hours if since <= at < until}
    return found


def schedules(scope: Scope, *, since: datetime, until: datetime, named: int = 0) -> list[Schedule]:
    """Return the schedules of the enabled tasks of ``scope``, the most shared first, each with ``named`` tasks.

    Counting alone takes a third of the time that it takes to know any of the tasks as well.
    """
    found: list[Schedule] = []
    for *fields, count, ids in _grouped.get((scope, since, until, named), partial(_group, scope, since, until, named)):
        try:
            found.append(Schedule(_trigger_of(since, until, *fields), count, sorted(ids)[:named]))
        except (InvalidField, ValueError):
            # A schedule that cannot be read fires nothing; the task's own page says why.
            continue
    return found


def _group(scope: Scope, since: datetime, until: datetime, named: int) -> list[tuple[Any, ...]]:
    params = {**scope.params, "since": since, "until": until, "named": named}
    with callers_connection().cursor() as cursor:
        plain = [] if named else cursor.execute(_PLAIN, params).fetchall()
        cursor.execute(_HASH)
        found = cursor.execute(_SCHEDULES, params).fetchall()
        cursor.execute(_AS_BEFORE)
    found += [(*schedule, None, None, 0.0, None, None, None, count, []) for *schedule, count in plain]
    return sorted(found, key=lambda row: -row[-2])


def fires_within(trigger: Trigger, since: datetime, until: datetime) -> int:
    """Return how many fires lie in [``since``, ``until``), both full hours."""
    return trigger.count_between(since - INSTANT, until - INSTANT, cap=1_000_000)


def _trigger_of(
    since: datetime,
    until: datetime,
    kind: str,
    expression: str,
    zone: str,
    gap: str,
    fold: str,
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
            hash_id = "" if hashed is None else str(hashed)
            if starts_at is None and ends_at is None and _keeps_full_hours(zone, since, until):
                expression = _at_the_full_hour(expression)
            spec |= {"cron_expression": expression, "timezone": zone, "dst_gap": gap, "dst_fold": fold}
            spec |= {"hash_id": hash_id}
        case TriggerKind.ONCE:
            spec |= {"at": once}
        case _:
            anchor = EPOCH + timedelta(seconds=phase)
            spec |= {"kind": TriggerKind.INTERVAL.value, "every_seconds": every, "anchor": anchor}
    return build_trigger(TriggerSpec(**spec))


def _at_the_full_hour(expression: str) -> str:
    """Return an expression that fires in the same hours as one that names a single minute, and equally often."""
    minute, *others = expression.split()
    if len(others) == 4 and minute.isdecimal() and int(minute) < 60:
        return " ".join(("0", *others))
    return expression


@lru_cache(maxsize=1 << 10)
def _keeps_full_hours(zone: str, since: datetime, until: datetime) -> bool:
    """Tell whether the hours of ``zone`` are those of UTC under other numbers, all the time."""
    known = find_zone(zone)
    begin, end = ((moment.astimezone(UTC)).replace(tzinfo=None) for moment in (since - 3 * DAY, until + 3 * DAY))
    return known.first_change(begin, end) is None and not known.offset_at(begin) % HOUR


@lru_cache(maxsize=4)
def _before_hours(first_day: datetime, days: int) -> tuple[int, ...]:
    """Return the last microsecond before each hour of so many days, and before the day after them."""
    first = (first_day - EPOCH) // INSTANT - 1
    return tuple(first + hour * (HOUR // INSTANT) for hour in range(24 * days + 1))


@lru_cache(maxsize=1 << 13)
def _fires_of_days(trigger: Trigger, first_day: datetime, days: int) -> tuple[int, ...]:
    """Return how many fires each hour of so many days of UTC has."""
    if isinstance(trigger, IntervalTrigger):
        return tuple(trigger.counts_between(_before_hours(first_day, days)))
    counts = [0] * (24 * days)
    for day in range(days):
        for hour, count in _fires_of_day(trigger, first_day + day * DAY):
            counts[24 * day + hour] = count
    return tuple(counts)


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
