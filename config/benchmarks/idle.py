"""idle: what a scheduler and a worker cost while nothing is due, with many enabled tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.errors import Stuck
from config.benchmarks.machine import cpu_seconds, resident_mib
from config.benchmarks.tasks import create_tasks
from scheduling.db import database_now

#: Until plans are made and start-up is over (seconds).
SETTLE = 5.0

_TRANSACTIONS = """
SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()
"""


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Have many enabled tasks of which none is due, one scheduler and one worker."""
    far = database_now(stage.conn) + timedelta(days=200)
    create_tasks(stage["tasks"], trigger="cron", cron_expression="0 3 1 1 *", starts_at=far)
    stage.processes.start_schedulers(1)
    (scheduler,) = stage.processes.pids
    deadline = time.monotonic() + 30 + stage["tasks"] / 1000
    while stage.conn.execute("SELECT EXISTS (SELECT FROM rota_task_clock WHERE dirty)").fetchone() == (True,):
        stage.processes.check()
        if time.monotonic() > deadline:
            raise Stuck("The scheduler does not plan the tasks.")
        time.sleep(0.2)
    stage.conn.execute("VACUUM ANALYZE")
    time.sleep(SETTLE)

    def measure() -> Figures:
        with_scheduler = _watch(stage, [scheduler], stage["seconds"])
        return {
            "queries_per_second": with_scheduler["queries_per_second"],
            "scheduler_cpu_percent": with_scheduler["cpu_percent"],
            "scheduler_mib": resident_mib(scheduler),
            **_worker(stage),
        }

    yield measure
    stage.processes.end()


def _worker(stage: Stage) -> Figures:
    before = set(stage.processes.pids)
    stage.processes.start_workers(1, concurrency=stage["concurrency"])
    (worker,) = set(stage.processes.pids) - before
    time.sleep(SETTLE)
    spent = cpu_seconds([worker])
    time.sleep(stage["seconds"] / 2)
    share = (cpu_seconds([worker]) - spent) / (stage["seconds"] / 2)
    figures = {"worker_cpu_percent": share * 100, "worker_mib": resident_mib(worker)}
    stage.processes.end(worker)
    return figures


def _watch(stage: Stage, pids: list[int], seconds: int) -> Figures:
    queries, spent = _transactions(stage), cpu_seconds(pids)
    for step in range(seconds):
        stage.tell(step / seconds)
        time.sleep(1)
    # Each statement of a loop is a transaction of its own; the two questions of ours are taken off.
    return {
        "queries_per_second": (_transactions(stage) - queries - 2) / seconds,
        "cpu_percent": (cpu_seconds(pids) - spent) / seconds * 100,
    }


def _transactions(stage: Stage) -> int:
    # Sessions hand their counts over within a second.
    stage.conn.execute("SELECT pg_stat_clear_snapshot()")
    row = stage.conn.execute(_TRANSACTIONS).fetchone()
    return int(row[0]) if row else 0


IDLE = Benchmark(
    name="idle",
    about="what a scheduler and a worker cost while none of many enabled tasks is due",
    options={"tasks": 100_000, "seconds": 30, "concurrency": 8},
    opened=opened,
    repeat=1,
    headline="scheduler_cpu_percent",
    against="tasks",
    values=(1_000, 10_000, 50_000, 100_000),
)
