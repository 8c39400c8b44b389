"""A history to measure against: ended instances and their executions, in as many daily partitions as wanted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from scheduling.db import Connection, database_now
from scheduling.engine.partitions import create_partitions, days_of
from scheduling.models import Task

#: Rows of one statement, so that progress shows.
BATCH = 50_000

_INSTANCES = """
INSERT INTO rota_instance (scheduled_for, namespace_id, task_id, task_version, fire_key, origin, outcome, reason,
    attempts, created_at, started_at, finished_at, last_execution_id)
SELECT at, %(namespace)s, %(task)s, 1, 'history:' || n, 'schedule', 'succeeded', 'completed', 1, at, at, at,
    nextval('rota_execution_id_seq')
FROM (SELECT n, %(begin)s + n * %(step)s::interval AS at FROM generate_series(%(from)s::int, %(to)s::int) n) v
"""
_EXECUTIONS = """
INSERT INTO rota_execution (id, scheduled_for, namespace_id, instance_id, task_id, attempt, node_id, state, reason,
    started_at, finished_at)
SELECT last_execution_id, scheduled_for, namespace_id, id, task_id, 1, 1, 'succeeded', 'completed', started_at,
    finished_at
FROM rota_instance WHERE task_id = %(task)s AND fire_key LIKE 'history:%%'
    AND scheduled_for >= %(begin)s + %(from)s::int * %(step)s::interval
    AND scheduled_for <= %(begin)s + %(to)s::int * %(step)s::interval
"""


def fill_history(
    conn: Connection, task: Task, *, rows: int, partitions: int, tell: Callable[[float], None] = lambda share: None
) -> None:
    """Store ``rows`` ended instances of ``task``, with an execution each, over the last ``partitions`` days."""
    now = database_now(conn)
    begin = now - timedelta(days=partitions - 1)
    create_partitions(conn, days_of(now - timedelta(days=day) for day in range(partitions)))
    if not rows:
        return
    step = (now - begin - timedelta(seconds=1)) / rows if partitions > 1 else timedelta(microseconds=1)
    for first in range(0, rows, BATCH):
        params = {
            "namespace": task.namespace_id,
            "task": task.pk,
            "begin": begin,
            "step": step,
            "from": first,
            "to": min(first + BATCH, rows) - 1,
        }
        conn.execute(_INSTANCES, params)
        conn.execute(_EXECUTIONS, params)
        tell(first / rows)
    for table in ("rota_instance", "rota_execution"):
        conn.execute(f"VACUUM ANALYZE {table}".encode())
