"""Schedules: which the enabled tasks have, how many tasks share each, and which tasks those are.

Only what decides about the hours counts, so that as many tasks as possible share a schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from scheduling.db import callers_connection
from scheduling.domain.errors import InvalidField
from scheduling.domain.policies import TriggerKind
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.registry import EPOCH, TriggerSpec, build_trigger
from scheduling.domain.triggers.zone import find_zone
from scheduling.statistics.memo import Memo
from scheduling.statistics.scope import Scope

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

# Most tasks have a cron expression and nothing else, or an interval and nothing else. How many share each is read from
# an index, without the tasks; the conditions are those of the indexes, word by word.
_PLAIN_CRON = """trigger = 'cron' AND starts_at IS NULL AND ends_at IS NULL AND cron_expression !~ '[hH]'"""
_PLAIN_INTERVAL = """trigger = 'interval' AND starts_at IS NULL AND ends_at IS NULL"""

_IN_SCOPE = """(%(namespaces)s::bigint[] IS NULL OR namespace_id = ANY(%(namespaces)s))
    AND (%(task)s::int IS NULL OR id = %(task)s)"""

# Of an interval that divides the hour every phase is alike; of any other the second is enough. In microseconds, which
# is five times as fast as in the server's decimal numbers.
_PHASE = """CASE WHEN mod(3600000000, greatest(1, (every_seconds * 1000000)::bigint)) = 0 THEN 0 ELSE
    floor(mod((date_part('epoch', coalesce(anchor_at, date_trunc('second', created_at))) * 1000000)::bigint,
        (every_seconds * 1000000)::bigint) / 1000000.0::float8) END::float8"""

_PLAIN = f"""
SELECT 'cron', cron_expression, timezone, dst_gap, dst_fold, NULL::float8, 0::float8, count(*) FROM rota_task
WHERE enabled AND {_PLAIN_CRON} AND {_IN_SCOPE} GROUP BY 2, 3, 4, 5
UNION ALL
SELECT 'interval', '', 'UTC', '', '', every_seconds, {_PHASE}, count(*) FROM rota_task
WHERE enabled AND {_PLAIN_INTERVAL} AND {_IN_SCOPE} GROUP BY every_seconds, 7
"""  # noqa: S608 - made of constants

# All others, with every part of a definition that decides about its hours.
_OTHERS = rf"""
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
    WHERE enabled AND trigger <> 'manual' AND NOT ({_PLAIN_CRON}) AND NOT ({_PLAIN_INTERVAL})
        AND (t.trigger <> 'once' OR (t.run_at >= %(since)s AND t.run_at < %(until)s))
        AND (t.starts_at IS NULL OR t.starts_at < %(until)s) AND (t.ends_at IS NULL OR t.ends_at >= %(since)s)
        AND {_IN_SCOPE}
)
SELECT trigger, expression, zone, gap, fold, hashed, every::float8,
    CASE WHEN every > 0 AND NOT (mod(3600, every) = 0 AND starts_at IS NULL AND ends_at IS NULL)
        THEN floor(mod(anchor, every)) ELSE 0 END::float8 AS phase,
    once, starts_at, ends_at, count(*), CASE WHEN %(named)s = 0 THEN ARRAY[]::int[] ELSE array_agg(id) END
FROM known GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
"""  # noqa: S608 - made of constants

# Within a transaction, for these statements: how many groups a hundred thousand tasks make the server cannot guess, and
# so it would rather sort them, which takes twice as long as hashing.
_HASH = "SELECT set_config('work_mem', '64MB', true), set_config('enable_sort', 'off', true)"
_AS_BEFORE = "SELECT set_config('enable_sort', 'on', true)"

# Of a cron expression that a hundred thousand tasks share no more are looked at than are wanted. Intervals that differ
# in their phases lie together, so they are gone through once.
_TASKS = f"""
SELECT w.place, t.id, t.name, n.name FROM (
    SELECT w.place, t.id FROM unnest(%(places)s::int[], %(expressions)s::text[], %(zones)s::text[], %(gaps)s::text[],
        %(folds)s::text[]) AS w (place, expression, zone, gap, fold)
    CROSS JOIN LATERAL (
        SELECT id FROM rota_task WHERE enabled AND {_PLAIN_CRON} AND {_IN_SCOPE}
            AND cron_expression = w.expression AND timezone = w.zone AND dst_gap = w.gap AND dst_fold = w.fold
        LIMIT %(limit)s
    ) t
    UNION ALL
    (SELECT w.place, t.id FROM (
        SELECT id, every_seconds, {_PHASE} AS phase FROM rota_task
        WHERE enabled AND {_PLAIN_INTERVAL} AND {_IN_SCOPE} AND every_seconds = ANY(%(every)s::float8[])
    ) t JOIN unnest(%(every_places)s::int[], %(every)s::float8[], %(phases)s::float8[]) AS w (place, every, phase)
        ON w.every = t.every_seconds AND w.phase = t.phase
    ORDER BY w.place, t.id LIMIT %(limit)s)
    UNION ALL
    SELECT w.place, w.id FROM unnest(%(other_places)s::int[], %(ids)s::int[]) AS w (place, id)
) w JOIN rota_task t ON t.id = w.id JOIN accounts_namespace n ON n.id = t.namespace_id
ORDER BY w.place, t.id LIMIT %(limit)s
"""  # noqa: S608 - made of constants

#: Where a hundred thousand tasks have schedules of their own, gathering them takes most of a second.
_grouped: Memo[list[tuple[Any, ...]]] = Memo()


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that some tasks share."""

    trigger: Trigger
    task_count: int
    #: Its part of the definition, in the order of the statement's columns.
    fields: tuple[Any, ...]
    #: The first of its tasks by id, as many as were asked for, where they cannot be found by its fields.
    task_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class NamedTask:
    """A task, and the place of its schedule among those that were asked for. In the order of the columns."""

    place: int
    task_id: int
    name: str
    namespace: str


def schedules(scope: Scope, *, since: datetime, until: datetime, named: int = 0) -> list[Schedule]:
    """Return the schedules of the enabled tasks of ``scope``, the most shared first. Two queries.

    Tasks that begin, end or run once outside of ``since`` and ``until``, both full hours, are left out. With ``named``,
    up to so many tasks of each can be told by `tasks_with` afterwards.
    """
    found: list[Schedule] = []
    for *fields, count, ids in _grouped.get((scope, since, until, named), partial(_group, scope, since, until, named)):
        try:
            found.append(Schedule(_trigger_of(since, until, *fields), count, tuple(fields), sorted(ids)[:named]))
        except (InvalidField, ValueError):
            # A schedule that cannot be read fires nothing; the task's own page says why.
            continue
    return found


def tasks_with(scope: Scope, wanted: Sequence[Schedule], *, limit: int) -> list[NamedTask]:
    """Return ``limit`` enabled tasks of ``scope`` at most that have one of the schedules, in their order. One query.

    The schedules have been read with ``named`` no less than ``limit``.
    """
    cron, interval, others = [], [], []
    for place, each in enumerate(wanted):
        kind, expression, zone, gap, fold, _hashed, every, phase, *_rest = each.fields
        if each.task_ids:
            others += [(place, task_id) for task_id in each.task_ids]
        elif kind == TriggerKind.CRON:
            cron.append((place, expression, zone, gap, fold))
        else:
            interval.append((place, every, phase))
    names = (
        "places",
        "expressions",
        "zones",
        "gaps",
        "folds",
        "every_places",
        "every",
        "phases",
        "other_places",
        "ids",
    )
    columns = [*_columns(cron, 5), *_columns(interval, 3), *_columns(others, 2)]
    params = {**scope.params, "limit": limit, **dict(zip(names, columns, strict=True))}
    with callers_connection().cursor() as cursor:
        return [NamedTask(*row) for row in cursor.execute(_TASKS, params).fetchall()]


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [[row[index] for row in rows] for index in range(width)]


def _group(scope: Scope, since: datetime, until: datetime, named: int) -> list[tuple[Any, ...]]:
    params = {**scope.params, "since": since, "until": until, "named": named}
    with callers_connection().cursor() as cursor:
        cursor.execute(_HASH)
        plain = cursor.execute(_PLAIN, params).fetchall()
        found = cursor.execute(_OTHERS, params).fetchall()
        cursor.execute(_AS_BEFORE)
    for kind, expression, zone, gap, fold, every, phase, count in plain:
        found.append((kind, expression, zone, gap, fold, None, every, phase, None, None, None, count, []))
    return sorted(found, key=lambda row: (-row[-2], *map(str, row[:-2])))


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
