"""An installation of some size, for pages to show: tasks, what they have done, what waits and what runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from accounts.models import DEFAULT_NAMESPACE, Namespace
from config.benchmarks.history import fill_history, unhurried
from config.benchmarks.work import enqueue_many, make_task
from scheduling.db import Connection, database_now, own_connection
from scheduling.engine.rebuild_statistics import rebuild_statistics
from scheduling.models import Calendar, Pool, Task
from scheduling.runtime.task_sums import keep_sums
from workers.domain.states import ExecutionState
from workers.engine.claim import claim
from workers.engine.complete import Report, complete
from workers.engine.nodes import Registration, register
from workers.engine.note_check import note_check
from workers.engine.store_log import store_log
from workers.runtime.log_buffer import Chunk

#: Machines, calendars and pools of the installation.
NODES, CALENDARS, POOLS = 20, 20, 20

#: Instances that are in the queue, and how many of them run.
READY, RUNNING = 300, 20

#: The log of one execution: so many chunks of so many lines of a hundred bytes, 8 MB.
CHUNKS, LINES = 2_000, 40

_LINE = "The quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. 0123456789 ab"

_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai")

_KNOWN_NEXT_RUNS = """
UPDATE rota_task_clock SET dirty = false,
    next_run_at = clock_timestamp() + interval '1 minute' + task_id * 7919 % 86400 * interval '1 second'
WHERE dirty
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """What pages are about."""

    namespace: str
    namespace_id: int
    #: A task with its share of the history.
    task_id: int
    #: An instance that waits for its turn, one that runs, and one that has ended with the long log.
    waiting_id: int
    running_id: int
    ended_id: int
    #: The execution that has the log.
    execution_id: int
    node_id: int
    calendar_id: int
    pool_id: int


def furnish(
    conn: Connection, *, tasks: int, history: int, partitions: int, tell: Callable[[float], None]
) -> Installation:
    """Make an installation in an empty database; ``history`` is the number of ended instances."""
    namespace, _ = Namespace.objects.get_or_create(name=DEFAULT_NAMESPACE, defaults={"title": "Default"})
    calendars = Calendar.objects.bulk_create(Calendar(namespace=namespace, name=f"days {n}") for n in range(CALENDARS))
    pools = Pool.objects.bulk_create(Pool(namespace=namespace, name=f"pool {n}", slots=2) for n in range(POOLS))
    nodes = [_register(conn, n) for n in range(NODES)]
    ids = _tasks(namespace, tasks)
    conn.execute(_KNOWN_NEXT_RUNS)
    fill_history(
        conn,
        namespace_id=namespace.pk,
        task_ids=ids,
        node_ids=[node.node_id for node in nodes],
        rows=history,
        partitions=partitions,
        tell=tell,
    )
    _count(conn, days=partitions)
    with unhurried(conn):
        # As a scheduler does within a minute.
        keep_sums(conn)
    enqueue_many(conn, make_task("ready"), READY)
    ended_id, execution_id = _talked(conn, nodes[0])
    running_id = _running(conn, nodes[0])
    waiting_id = _waiting(conn, pools[0])
    with unhurried(conn):
        conn.execute("VACUUM ANALYZE")
    note_check(conn)
    return Installation(
        namespace=namespace.name,
        namespace_id=namespace.pk,
        task_id=ids[len(ids) // 2],
        waiting_id=waiting_id,
        running_id=running_id,
        ended_id=ended_id,
        execution_id=execution_id,
        node_id=nodes[0].node_id,
        calendar_id=calendars[0].pk,
        pool_id=pools[0].pk,
    )


def _tasks(namespace: Namespace, count: int) -> list[int]:
    made = Task.objects.bulk_create((_task(namespace, n) for n in range(count)), batch_size=1000)
    return sorted(task.pk for task in made)


def _task(namespace: Namespace, number: int) -> Task:
    """Return one of the tasks: four of five by cron, once a day to once in ten minutes; the others by interval."""
    task = Task(
        namespace=namespace,
        name=f"task {number}",
        handler="python",
        params={"function": "benchmark.nothing", "kwargs": {}},
    )
    if number % 5 == 4:
        task.trigger, task.every_seconds = "interval", 600 + 60 * (number % 50)
    else:
        hours = ("*", f"{number % 24}", f"{number % 24}", "8-18")[number % 4]
        task.trigger, task.cron_expression = "cron", f"{number % 60} {hours} * * *"
        task.timezone = _ZONES[number % len(_ZONES)]
    return task


def _register(conn: Connection, number: int) -> Registration:
    return register(
        conn,
        name=f"machine-{number}",
        host=f"host-{number}",
        pid=number + 1,
        queues=["default"],
        handlers=["python"],
        known_handlers=["python"],
        slots=RUNNING,
        version="benchmark",
    )


def _count(conn: Connection, *, days: int) -> None:
    """Have the statistics that go with the history."""
    first = (database_now(conn) - timedelta(days=days)).date()
    lock = own_connection("benchmark statistics")
    try:
        with unhurried(conn):
            rebuild_statistics(conn, lock, since=datetime.combine(first, time(), UTC))
    finally:
        lock.close()


def _talked(conn: Connection, node: Registration) -> tuple[int, int]:
    """Return the ids of an instance that has ended, and of its execution, whose log is long."""
    (claimed,) = claim(
        conn, node_id=node.node_id, incarnation=node.incarnation, queues=["default"], handlers=["python"], slots=1
    )
    body = f"{_LINE}\n" * LINES
    at = database_now(conn)
    chunks = [
        Chunk(claimed.lease_id, claimed.scheduled_for, claimed.namespace_id, seq, "stdout", at, body)
        for seq in range(CHUNKS)
    ]
    store_log(conn, chunks)
    report = Report(
        instance_id=claimed.instance_id,
        lease_id=claimed.lease_id,
        scheduled_for=claimed.scheduled_for,
        state=ExecutionState.SUCCEEDED,
        reason="completed",
    )
    complete(conn, [report])
    return claimed.instance_id, claimed.lease_id


def _running(conn: Connection, node: Registration) -> int:
    claimed = claim(
        conn, node_id=node.node_id, incarnation=node.incarnation, queues=["default"], handlers=["python"], slots=RUNNING
    )
    return claimed[0].instance_id


def _waiting(conn: Connection, pool: Pool) -> int:
    """Return the id of an instance that waits for a place in a pool."""
    task = make_task("queued", overlap="queue", pool=pool)
    enqueue_many(conn, task, READY)
    row = conn.execute("SELECT max(instance_id) FROM rota_queue_entry WHERE task_id = %s", [task.pk]).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return int(row[0])
