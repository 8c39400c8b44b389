"""A history to measure against: ended instances and their executions, in as many daily partitions as wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from scheduling.db import Connection, database_now
from scheduling.engine.partitions import create_partitions, days_of

#: Rows of one statement, so that progress shows.
BATCH = 50_000

#: Every so many-th instance failed, was skipped (in another place of the round), was cancelled.
ONE_FAILED, ONE_SKIPPED, ONE_CANCELLED = 50, 200, 10_000

_FILL = """
WITH ended AS (
    INSERT INTO rota_instance (scheduled_for, namespace_id, task_id, task_version, fire_key, origin, outcome, reason,
        message, attempts, created_at, started_at, finished_at, failed_at, last_execution_id)
    SELECT at, %(namespace)s, (%(tasks)s::int[])[1 + n %% %(task_count)s], 1, 'history:' || n, 'schedule', outcome,
        CASE outcome WHEN 'succeeded' THEN 'completed' WHEN 'failed' THEN 'exception' WHEN 'skipped' THEN 'overlap'
            ELSE 'cancelled' END,
        CASE outcome WHEN 'failed' THEN 'ValueError: this one does not work' ELSE '' END,
        CASE outcome WHEN 'skipped' THEN 0 ELSE 1 END, at,
        CASE WHEN outcome <> 'skipped' THEN at + interval '5 ms' END, ends,
        CASE outcome WHEN 'failed' THEN ends END,
        CASE WHEN outcome <> 'skipped' THEN nextval('rota_execution_id_seq') END
    FROM (
        SELECT n, at, at + interval '5 ms' + (n %% 13) ^ 3 * interval '10 ms' AS ends,
            CASE WHEN n %% %(one_cancelled)s = 3 THEN 'cancelled' WHEN n %% %(one_skipped)s = 2 THEN 'skipped'
                WHEN n %% %(one_failed)s = 1 THEN 'failed' ELSE 'succeeded' END AS outcome
        FROM (SELECT n, %(begin)s + n * %(step)s::interval AS at FROM generate_series(%(from)s::int, %(to)s::int) n) v
    ) w
    RETURNING id, scheduled_for, namespace_id, task_id, outcome, reason, message, started_at, finished_at,
        last_execution_id
)
INSERT INTO rota_execution (id, scheduled_for, namespace_id, instance_id, task_id, attempt, node_id, state, reason,
    message, started_at, finished_at)
SELECT last_execution_id, scheduled_for, namespace_id, id, task_id, 1,
    (%(nodes)s::int[])[1 + id %% cardinality(%(nodes)s::int[])], outcome, reason, message, started_at, finished_at
FROM ended WHERE last_execution_id IS NOT NULL
"""


@contextmanager
def unhurried(conn: Connection) -> Iterator[None]:
    """Let statements on ``conn`` take as long as they need: what prepares a benchmark is large, not stuck."""
    conn.execute("SET statement_timeout = 0")
    yield
    conn.execute("RESET statement_timeout")


def fill_history(
    conn: Connection,
    *,
    namespace_id: int,
    task_ids: Sequence[int],
    node_ids: Sequence[int] = (1,),
    rows: int,
    partitions: int,
    tell: Callable[[float], None] = lambda share: None,
) -> None:
    """Store ``rows`` ended instances of the tasks in turn, each with its execution, over the last ``partitions`` days.

    Two of a hundred failed, one of two hundred was skipped, one of ten thousand cancelled. Of a single partition the
    rows are a microsecond apart; else they are spread evenly.
    """
    now = database_now(conn)
    begin = now - timedelta(days=partitions - 1)
    create_partitions(conn, days_of(now - timedelta(days=day) for day in range(partitions)))
    if not rows:
        return
    step = (now - begin - timedelta(minutes=1)) / rows if partitions > 1 else timedelta(microseconds=1)
    for first in range(0, rows, BATCH):
        conn.execute(
            _FILL,
            {
                "namespace": namespace_id,
                "tasks": list(task_ids),
                "task_count": len(task_ids),
                "nodes": list(node_ids),
                "one_failed": ONE_FAILED,
                "one_skipped": ONE_SKIPPED,
                "one_cancelled": ONE_CANCELLED,
                "begin": begin,
                "step": step,
                "from": first,
                "to": min(first + BATCH, rows) - 1,
            },
        )
        tell(first / rows)
    with unhurried(conn):
        conn.execute("VACUUM ANALYZE rota_instance, rota_execution")
