"""Figures by task: which fail most, which take longest, which run most."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from scheduling.db import callers_connection
from scheduling.domain.spans import Span, slots_of
from scheduling.statistics.figures import Counts
from scheduling.statistics.scope import Scope


class TaskOrder(StrEnum):
    """Which tasks come first, and with that, which are left out."""

    #: By the number of failures; tasks without one are left out.
    FAILING = "failing"
    #: By the mean duration; tasks that never ran are left out.
    SLOWEST = "slowest"
    #: By the number of ends.
    BUSIEST = "busiest"


# Whole days come from the statistics by day, and what is left of the first one from those by hour.
_TASKS = """
WITH rows AS MATERIALIZED (
    SELECT task_id, namespace_id, outcome, bucket, count, lasted, waited FROM rota_stat_day
    WHERE day >= %(first_day)s AND (%(namespaces)s::bigint[] IS NULL OR namespace_id = ANY(%(namespaces)s))
        AND (%(task)s::int IS NULL OR task_id = %(task)s)
    UNION ALL
    SELECT task_id, namespace_id, outcome, bucket, count, lasted, waited FROM rota_stat_hour
    WHERE hour >= %(since)s AND hour < %(first_day)s AND task_id <> 0
        AND (%(namespaces)s::bigint[] IS NULL OR namespace_id = ANY(%(namespaces)s))
        AND (%(task)s::int IS NULL OR task_id = %(task)s)
),
sums AS (
    SELECT task_id, namespace_id, sum(count) AS total,
        coalesce(sum(count) FILTER (WHERE outcome = 'failed'), 0) AS failed,
        extract(epoch FROM sum(lasted) FILTER (WHERE outcome IN ('succeeded', 'failed') AND bucket >= 0))
            / sum(count) FILTER (WHERE outcome IN ('succeeded', 'failed') AND bucket >= 0) AS mean
    FROM rows GROUP BY 1, 2
),
first AS MATERIALIZED (
    SELECT task_id, namespace_id, row_number() OVER (ORDER BY
        CASE %(order)s::text WHEN 'failing' THEN failed WHEN 'slowest' THEN mean ELSE total END DESC,
        total DESC, task_id
    ) AS place
    FROM sums
    WHERE CASE %(order)s::text WHEN 'failing' THEN failed > 0 WHEN 'slowest' THEN mean IS NOT NULL ELSE true END
    ORDER BY place LIMIT %(limit)s
)
SELECT f.place, f.task_id, n.name, coalesce(t.name, (
        SELECT v.definition ->> 'name' FROM rota_task_revision v WHERE v.task_id = f.task_id
        ORDER BY v.version DESC LIMIT 1), ''), t.id IS NULL,
    r.outcome, r.bucket, sum(r.count)::bigint, sum(r.lasted), sum(r.waited)
FROM first f JOIN rows r USING (task_id, namespace_id)
JOIN accounts_namespace n ON n.id = f.namespace_id
LEFT JOIN rota_task t ON t.id = f.task_id
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1
"""


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
    """Return the first ``limit`` tasks of ``scope`` in ``order``, over the same time as the chart. One query."""
    since = slots_of(span, now=now, zone=zone).begins_at
    midnight = since.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    first_day = midnight if midnight == since else midnight + timedelta(days=1)
    params = {**scope.params, "since": since, "first_day": first_day, "order": order.value, "limit": limit}
    found: dict[int, TaskFigures] = {}
    with callers_connection().cursor() as cursor:
        for place, task_id, namespace, name, deleted, *row in cursor.execute(_TASKS, params).fetchall():
            line = found.get(place)
            if line is None:
                line = found[place] = TaskFigures(task_id=task_id, namespace=namespace, name=name, deleted=deleted)
            line.counts.add(*row)
    return list(found.values())
