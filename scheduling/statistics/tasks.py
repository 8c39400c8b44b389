"""Figures by task: which fail most, which take longest, which run most."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from scheduling.db import callers_connection
from scheduling.domain.spans import Span, slots_of
from scheduling.statistics.figures import Counts
from scheduling.statistics.memo import Memo
from scheduling.statistics.scope import Scope


class TaskOrder(StrEnum):
    """Which tasks come first, and with that, which are left out."""

    #: By the number of failures; tasks without one are left out.
    FAILING = "failing"
    #: By the mean duration; tasks that never ran are left out.
    SLOWEST = "slowest"
    #: By the number of ends.
    BUSIEST = "busiest"


# Whole days come from the statistics by day, and what is left of the first one from those by hour. Only what decides
# about the order is summed up for all tasks; the rest is read for the few that come first.
_TASKS = """
WITH first AS MATERIALIZED (
    SELECT task_id, namespace_id, row_number() OVER (ORDER BY rank DESC, task_id) AS place
    FROM (
        SELECT task_id, namespace_id, CASE %(order)s::text
            WHEN 'slowest' THEN extract(epoch FROM sum(lasted)) / sum(count) ELSE sum(count) END AS rank
        FROM (
            SELECT task_id, namespace_id, outcome, bucket, count, lasted FROM rota_stat_day
            WHERE day >= %(first_day)s
            UNION ALL
            SELECT task_id, namespace_id, outcome, bucket, count, lasted FROM rota_stat_hour
            WHERE hour >= %(since)s AND hour < %(first_day)s AND task_id <> 0
        ) r
        WHERE CASE %(order)s::text WHEN 'failing' THEN outcome = 'failed'
                WHEN 'slowest' THEN outcome IN ('succeeded', 'failed') AND bucket >= 0 ELSE true END
            AND (%(namespaces)s::bigint[] IS NULL OR namespace_id = ANY(%(namespaces)s))
            AND (%(task)s::int IS NULL OR task_id = %(task)s)
        GROUP BY 1, 2
    ) sums
    ORDER BY place LIMIT %(limit)s
)
SELECT f.place, f.task_id, n.name, coalesce(t.name, (
        SELECT v.definition ->> 'name' FROM rota_task_revision v WHERE v.task_id = f.task_id
        ORDER BY v.version DESC LIMIT 1), ''), t.id IS NULL,
    r.outcome, r.bucket, sum(r.count)::bigint, sum(r.lasted), sum(r.waited)
FROM first f
CROSS JOIN LATERAL (
    SELECT outcome, bucket, count, lasted, waited FROM rota_stat_day
    WHERE task_id = f.task_id AND namespace_id = f.namespace_id AND day >= %(first_day)s
    UNION ALL
    SELECT outcome, bucket, count, lasted, waited FROM rota_stat_hour
    WHERE task_id = f.task_id AND namespace_id = f.namespace_id AND hour >= %(since)s AND hour < %(first_day)s
) r
JOIN accounts_namespace n ON n.id = f.namespace_id
LEFT JOIN rota_task t ON t.id = f.task_id
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1
"""


#: Of a hundred thousand tasks over thirty days, reading takes a second or more.
_read: Memo[list[tuple[Any, ...]]] = Memo()


@dataclass(kw_only=True, slots=True)
class TaskFigures:
    """One task's line."""

    task_id: int
    namespace: str
    #: The last one of a task that was deleted.
    name: str
    deleted: bool
    counts: Counts = field(default_factory=Counts)


def task_figures(
    scope: Scope, *, span: Span, zone: tzinfo, now: datetime, order: TaskOrder, limit: int = 10
) -> list[TaskFigures]:
    """Return the first ``limit`` tasks of ``scope`` in ``order``, over the same time as the chart.

    One query; what takes long is remembered for a while.
    """
    since = slots_of(span, now=now, zone=zone).begins_at
    midnight = since.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    first_day = midnight if midnight == since else midnight + timedelta(days=1)
    params = {**scope.params, "since": since, "first_day": first_day, "order": order.value, "limit": limit}
    found: dict[int, TaskFigures] = {}
    for place, task_id, namespace, name, deleted, *row in _read.get(
        (scope, since, order, limit), lambda: callers_connection().execute(_TASKS, params).fetchall()
    ):
        line = found.get(place)
        if line is None:
            line = found[place] = TaskFigures(task_id=task_id, namespace=namespace, name=name, deleted=deleted)
        line.counts.add(*row)
    return list(found.values())
