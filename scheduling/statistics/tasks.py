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


# What the sums hold already is taken from them, by an index in the order that is asked for, so that of all tasks only
# the first ones are looked at, and those that did something before or since: any other cannot come before the first
# ones that did nothing then either. Whole days come from the statistics by day, and what is left of the
# first one from those by hour. Only what decides about the order is summed up; the rest is read for the few that come
# first. The first column tells whether the sums reach as far as was meant; the others which there are, if a scheduler
# keeps any that begin where the range begins, or less than a day later.
_TASKS = """
WITH more AS MATERIALIZED (
    SELECT task_id, namespace_id, sum(count)::bigint AS n, (date_part('epoch', sum(lasted)) * 1000000)::bigint AS us
    FROM (
        SELECT task_id, namespace_id, outcome, bucket, count, lasted FROM rota_stat_day
        WHERE day >= %(first_day)s
        UNION ALL
        SELECT task_id, namespace_id, outcome, bucket, count, lasted FROM rota_stat_hour
        WHERE hour >= %(from)s AND hour < %(first_day)s AND task_id <> 0
        UNION ALL
        SELECT task_id, namespace_id, outcome, bucket, count, lasted FROM rota_stat_hour
        WHERE hour >= %(since)s AND hour < %(sums)s AND task_id <> 0
    ) r
    WHERE CASE %(order)s::text WHEN 'failing' THEN outcome = 'failed'
            WHEN 'slowest' THEN outcome IN ('succeeded', 'failed') AND bucket >= 0 ELSE true END
        AND (%(namespaces)s::bigint[] IS NULL OR namespace_id = ANY(%(namespaces)s))
        AND (%(task)s::int IS NULL OR task_id = %(task)s)
    GROUP BY 1, 2
),
first AS MATERIALIZED (
    SELECT task_id, namespace_id, row_number() OVER (ORDER BY rank DESC, task_id) AS place
    FROM (
        SELECT m.task_id, m.namespace_id, CASE %(order)s::text
            WHEN 'slowest' THEN (m.us + coalesce(s.lasted_us, 0))::float8 / (m.n + coalesce(s.ran, 0))
            WHEN 'failing' THEN (m.n + coalesce(s.failed, 0))::float8
            ELSE (m.n + coalesce(s.ended, 0))::float8 END AS rank
        FROM more m LEFT JOIN rota_stat_sum s
            ON s.since = %(sums)s AND s.task_id = m.task_id AND s.namespace_id = m.namespace_id
        UNION ALL
        SELECT t.task_id, n.id, t.rank
        FROM accounts_namespace n
        CROSS JOIN LATERAL (
            SELECT s.task_id, CASE %(order)s::text WHEN 'slowest' THEN s.lasted_us::float8 / s.ran
                WHEN 'failing' THEN s.failed::float8 ELSE s.ended::float8 END AS rank
            FROM rota_stat_sum s
            WHERE s.since = %(sums)s AND s.namespace_id = n.id
                AND CASE %(order)s::text WHEN 'slowest' THEN s.ran > 0 WHEN 'failing' THEN s.failed > 0 ELSE true END
                AND (%(task)s::int IS NULL OR s.task_id = %(task)s)
                AND (s.task_id, s.namespace_id) NOT IN (SELECT task_id, namespace_id FROM more)
            ORDER BY 2 DESC, 1 LIMIT %(limit)s
        ) t
        WHERE %(sums)s::timestamptz IS NOT NULL
            AND (%(namespaces)s::bigint[] IS NULL OR n.id = ANY(%(namespaces)s))
    ) sums
    ORDER BY place LIMIT %(limit)s
)
SELECT known.reached, known.sums, f.place, f.task_id, f.namespace, f.name, f.deleted, f.outcome, f.bucket, f.count,
    f.lasted, f.waited
FROM (SELECT %(sums)s::timestamptz IS NULL
        OR EXISTS (SELECT FROM rota_stat_window WHERE since = %(sums)s AND until = %(from)s) AS reached,
        (SELECT ARRAY[since, until] FROM rota_stat_window
        WHERE since >= %(since)s AND since < %(since)s + interval '1 day' ORDER BY since LIMIT 1) AS sums) known
LEFT JOIN (
    SELECT f.place, f.task_id, n.name AS namespace, coalesce(t.name, (
            SELECT v.definition ->> 'name' FROM rota_task_revision v WHERE v.task_id = f.task_id
            ORDER BY v.version DESC LIMIT 1), '') AS name, t.id IS NULL AS deleted,
        r.outcome, r.bucket, sum(r.count)::bigint AS count, sum(r.lasted) AS lasted, sum(r.waited) AS waited
    FROM first f
    CROSS JOIN LATERAL (
        SELECT outcome, bucket, count, lasted, waited FROM rota_stat_day
        WHERE task_id = f.task_id AND namespace_id = f.namespace_id AND day >= %(since_day)s
        UNION ALL
        SELECT outcome, bucket, count, lasted, waited FROM rota_stat_hour
        WHERE task_id = f.task_id AND namespace_id = f.namespace_id AND hour >= %(since)s AND hour < %(since_day)s
    ) r
    JOIN accounts_namespace n ON n.id = f.namespace_id
    LEFT JOIN rota_task t ON t.id = f.task_id
    GROUP BY 1, 2, 3, 4, 5, 6, 7
) f ON true
ORDER BY f.place
"""


#: Where nobody keeps sums, reading a hundred thousand tasks over thirty days takes a second or more.
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

    One query, or two where no scheduler keeps sums of this range up to this hour; what takes long is remembered.
    """
    since = slots_of(span, now=now, zone=zone).begins_at
    found: dict[int, TaskFigures] = {}
    for place, task_id, namespace, name, deleted, *row in _read.get(
        (scope, since, order, limit), lambda: _rows(scope, since, now, order, limit)
    ):
        line = found.get(place)
        if line is None:
            line = found[place] = TaskFigures(task_id=task_id, namespace=namespace, name=name, deleted=deleted)
        line.counts.add(*row)
    return list(found.values())


def _rows(scope: Scope, since: datetime, now: datetime, order: TaskOrder, limit: int) -> list[tuple[Any, ...]]:
    """Return the classes of the first tasks, by the sums where there are some."""
    conn = callers_connection()
    params = {**scope.params, "since": since, "since_day": _midnight(since), "order": order.value, "limit": limit}

    def read(sums: datetime | None, begin: datetime) -> tuple[list[tuple[Any, ...]] | None, list[datetime] | None]:
        parts = {"sums": sums, "from": begin, "first_day": _midnight(begin)}
        rows = conn.execute(_TASKS, params | parts).fetchall()
        reached, kept = rows[0][:2]
        # None: the sums are not those that were meant; a scheduler moves them on, and sometimes throws them away.
        return ([row[2:] for row in rows if row[2] is not None] if reached else None), kept

    rows, kept = None, None
    # Of a single task its own few rows are read. Else there are sums most often, and asking for them costs as much as
    # trying.
    if scope.task_id is None:
        rows, kept = read(since, now.astimezone(UTC).replace(minute=0, second=0, microsecond=0))
        if rows is None and kept is not None:
            rows, kept = read(*kept)
    return rows if rows is not None else read(None, since)[0] or []


def _midnight(moment: datetime) -> datetime:
    """Return the first midnight (UTC) at ``moment`` or later."""
    before = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return before if before == moment else before + timedelta(days=1)
