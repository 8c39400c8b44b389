"""throughput: how many no-op jobs that are in the queue already run in a second, their history kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.errors import Stuck
from config.benchmarks.work import enqueue_many, make_task, wait_until_drained
from scheduling.models import Task

#: From the first claim to the last report, by the database's clock: the start of the processes is not part of it.
_SPAN = """
SELECT extract(epoch FROM max(x.finished_at) - min(x.started_at))::float8, count(*)
FROM (SELECT finished_at, started_at FROM rota_execution WHERE state = 'succeeded' ORDER BY id DESC LIMIT %s) x
"""


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Have workers wait for the work of each repeat."""
    task = make_task("nothing")
    stage.processes.start_workers(stage["processes"], concurrency=stage["concurrency"])
    # Definitions, plans and connections are warm in a worker that has been running for a while.
    drain(stage, task, max(200, stage["jobs"] // 20))
    yield lambda: drain(stage, task, stage["jobs"])
    stage.processes.end()


def drain(stage: Stage, task: Task, jobs: int) -> Figures:
    """Put ``jobs`` instances into the queue at one moment and wait for their end."""
    figures: Figures = {}
    with stage.using(figures, jobs=lambda: jobs):
        enqueue_many(stage.conn, task, jobs)
        wait_until_drained(stage.conn, stage.processes, total=jobs, tell=stage.tell)
    row = stage.conn.execute(_SPAN, [jobs]).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    if row[1] != jobs:
        raise Stuck(f"Of {jobs} jobs {row[1]} succeeded; the benchmark's own function cannot fail.")
    figures["seconds"], figures["per_second"] = row[0], jobs / row[0]
    return figures


THROUGHPUT = Benchmark(
    name="throughput",
    about="no-op Python jobs that are in the queue already: how many run in a second",
    options={"jobs": 50_000, "processes": 1, "concurrency": 8},
    opened=opened,
    against="processes",
    values=(1, 2, 3, 4),
)
