"""The work of a benchmark: tasks, instances of them by the ten thousand, and waiting until they have ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from psycopg import sql

from accounts.models import DEFAULT_NAMESPACE, Namespace
from config.benchmarks.errors import Stuck
from config.benchmarks.processes import Processes
from scheduling.db import QUEUE_CHANNEL, Connection, database_now
from scheduling.domain.states import Origin
from scheduling.engine.enqueue import enqueue
from scheduling.engine.partitions import create_partitions, days_of
from scheduling.models import Task

#: How often (seconds) the waiting side looks; often enough for a progress bar, too rarely to matter.
LOOK_SECONDS = 0.25

#: A benchmark in which nothing ends for so long (seconds) has failed.
STUCK_SECONDS = 60.0

_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
    AND attgenerated = '' ORDER BY attnum
"""

Tell = Callable[[float], None]


def make_task(name: str, *, function: str = "benchmark.nothing", **over: Any) -> Task:
    """Return a new task that calls a benchmark's function; a manual one that may overlap, unless said otherwise."""
    namespace, _ = Namespace.objects.get_or_create(name=DEFAULT_NAMESPACE, defaults={"title": "Default"})
    kwargs = over.pop("kwargs", {})
    fields: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "handler": "python",
        "params": {"function": function, "kwargs": kwargs},
        "trigger": "manual",
        "overlap": "allow",
    }
    task: Task = Task.objects.create(**{**fields, **over})
    task.refresh_from_db()
    return task


def enqueue_many(conn: Connection, task: Task, count: int, *, analyze: bool = True) -> datetime:
    """Make ``count`` ready instances of ``task`` visible at one moment, and return that moment.

    The first is made as every other is; the rest are copies of its rows, since what is measured is how they are run.
    """
    now = database_now(conn)
    create_partitions(conn, days_of([now, now + timedelta(days=1)]))
    with conn.transaction():
        first = enqueue(conn, task_id=task.pk, origin=Origin.CODE)
        assert first is not None  # noqa: S101 - the task was just made
        if count > 1:
            _copy(conn, "rota_instance", "instance", first.instance_id, count - 1)
            _copy(conn, "rota_queue_entry", "entry", first.instance_id, count - 1)
    if analyze:
        conn.execute("ANALYZE rota_queue_entry")
    conn.execute("SELECT pg_notify(%s, '')", [QUEUE_CHANNEL])
    return database_now(conn)


def _copy(conn: Connection, table: str, what: str, instance_id: int, count: int) -> None:
    """Insert ``count`` copies of an instance's row; n microseconds later each, with the id after the one before."""
    changed = {
        "instance": {"id": "x.id + n", "fire_key": "'copy:' || n"},
        "entry": {"instance_id": "x.instance_id + n", "sort_key": "x.sort_key + n * interval '1 microsecond'"},
    }[what]
    columns = [row[0] for row in conn.execute(_COLUMNS, [table]).fetchall()]
    values = [sql.SQL(changed[column]) if column in changed else sql.Identifier("x", column) for column in columns]
    conn.execute(
        sql.SQL(
            "INSERT INTO {0} ({1}) SELECT {2} FROM {0} x CROSS JOIN generate_series(1, %s) n WHERE {3} = %s"
        ).format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(values),
            sql.Identifier("x", "id" if what == "instance" else "instance_id"),
        ),
        [count, instance_id],
    )
    if what == "instance":
        conn.execute("SELECT setval('rota_instance_id_seq', %s)", [instance_id + count])


def wait_until_drained(conn: Connection, processes: Processes, *, total: int, tell: Tell) -> None:
    """Return when the queue is empty; ``tell`` hears the share that has ended. Raises Stuck."""
    left, changed_at = total, time.monotonic()
    while True:
        row = conn.execute("SELECT count(*) FROM rota_queue_entry").fetchone()
        now_left = row[0] if row else 0
        tell(1 - now_left / max(total, 1))
        if not now_left:
            return
        if now_left != left:
            left, changed_at = now_left, time.monotonic()
        elif time.monotonic() - changed_at > STUCK_SECONDS:
            raise Stuck(f"Nothing ended for {STUCK_SECONDS:g} s; {now_left} instances are unfinished.")
        processes.check()
        time.sleep(LOOK_SECONDS)


def clock_offset_seconds(conn: Connection) -> float:
    """Return what has to be added to this machine's clock to have the database's; the best of several questions."""
    best, offset = float("inf"), 0.0
    for _ in range(20):
        asked = time.time()
        now = database_now(conn).timestamp()
        answered = time.time()
        if answered - asked < best:
            best, offset = answered - asked, now - (asked + answered) / 2
    return offset


def percentile(ordered: list[float], share: float) -> float:
    """Return the value below which ``share`` of the ascending ``ordered`` lie (nearest rank); 0 without any."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]
