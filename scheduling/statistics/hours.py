"""Hours one by one: how many instances ended in each, and which tasks are behind the number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduling.db import callers_connection
from scheduling.statistics.fires_by_hour import fires_of_hours
from scheduling.statistics.scope import Scope
from scheduling.statistics.shared_schedules import Schedule, schedules, tasks_with

_ENDS = """
SELECT hour, sum(count)::bigint, coalesce(sum(count) FILTER (WHERE outcome = 'failed'), 0)::bigint FROM rota_stat_hour
WHERE task_id = coalesce(%(task)s::int, 0) AND hour >= %(since)s AND hour < %(until)s
    AND (%(namespaces)s::bigint[] IS NULL OR namespace_id = ANY(%(namespaces)s))
GROUP BY 1
"""

_TASKS = """
WITH first AS MATERIALIZED (
    SELECT task_id, namespace_id, sum(count)::bigint AS total,
        coalesce(sum(count) FILTER (WHERE outcome = 'failed'), 0)::bigint AS failed
    FROM rota_stat_hour
    WHERE hour >= %(since)s AND hour < %(until)s AND task_id <> 0
        AND (%(namespaces)s::bigint[] IS NULL OR namespace_id = ANY(%(namespaces)s))
        AND (%(task)s::int IS NULL OR task_id = %(task)s)
    GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT %(limit)s
)
SELECT f.task_id, coalesce(t.name, (
        SELECT v.definition ->> 'name' FROM rota_task_revision v WHERE v.task_id = f.task_id
        ORDER BY v.version DESC LIMIT 1), ''), t.id IS NOT NULL, n.name, f.total, f.failed
FROM first f JOIN accounts_namespace n ON n.id = f.namespace_id LEFT JOIN rota_task t ON t.id = f.task_id
ORDER BY f.total DESC, f.task_id
"""


@dataclass(frozen=True, slots=True)
class Ends:
    """What ended within an hour."""

    total: int
    failed: int


@dataclass(frozen=True, slots=True)
class TaskOfHour:
    """One task's share of an hour. The fields stand in the order of the statement's columns."""

    task_id: int
    #: The last one of a task that was deleted.
    name: str
    exists: bool
    namespace: str
    #: Fires to come, or instances that ended.
    count: int
    failed: int = 0


def ends_by_hour(scope: Scope, *, since: datetime, until: datetime) -> Mapping[datetime, Ends]:
    """Return what ended in each hour of UTC, by its beginning; hours without anything are left out. One query."""
    with callers_connection().cursor() as cursor:
        rows = cursor.execute(_ENDS, {**scope.params, "since": since, "until": until}).fetchall()
    return {hour: Ends(total, failed) for hour, total, failed in rows}


def tasks_that_ended(scope: Scope, *, since: datetime, until: datetime, limit: int = 100) -> Sequence[TaskOfHour]:
    """Return the tasks with the most ends from ``since`` to ``until``, both full hours. One query."""
    params = {**scope.params, "since": since, "until": until, "limit": limit}
    with callers_connection().cursor() as cursor:
        return [TaskOfHour(*row) for row in cursor.execute(_TASKS, params).fetchall()]


def tasks_that_fire(
    scope: Scope,
    *,
    since: datetime,
    until: datetime,
    limit: int = 100,
    among: Sequence[Schedule] | None = None,
) -> Sequence[TaskOfHour]:
    """Return the tasks with the most fires from ``since`` to ``until``, both full hours.

    ``among`` are the schedules, if they have been read, for these hours or more and with ``limit`` tasks named: one
    query then, else three.
    """
    known = schedules(scope, since=since, until=until, named=limit) if among is None else among
    counted = [(count, each) for each in known if (count := fires_of_hours(each.trigger, since, until))]
    counted.sort(key=lambda one: -one[0])
    first, task_count = [], 0
    for count, each in counted:
        if task_count >= limit:
            break
        first.append((count, each))
        task_count += each.task_count
    named = tasks_with(scope, [each for _count, each in first], limit=limit)
    found = [TaskOfHour(one.task_id, one.name, True, one.namespace, first[one.place][0]) for one in named]
    return sorted(found, key=lambda one: (-one.count, one.task_id))
