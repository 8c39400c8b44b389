"""growth: throughput with a long history in many partitions behind it, against an empty one."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.history import fill_history
from config.benchmarks.throughput import drain
from config.benchmarks.work import make_task

#: How often the empty history is measured, for a median to compare with.
EMPTY_REPEATS = 3


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Measure with next to no history, then make one."""
    task, past = make_task("nothing"), make_task("past")
    stage.processes.start_workers(1, concurrency=stage["concurrency"])
    drain(stage, task, max(200, stage["jobs"] // 10))
    empty = statistics.median([drain(stage, task, stage["jobs"])["per_second"] for _ in range(EMPTY_REPEATS)])
    fill_history(
        stage.conn,
        namespace_id=past.namespace_id,
        task_ids=[past.pk],
        rows=stage["history"],
        partitions=stage["partitions"],
        tell=stage.tell,
    )
    # What was just written is not to be written out while the next repeats are measured.
    stage.conn.execute("CHECKPOINT")
    drain(stage, task, max(200, stage["jobs"] // 10))

    def measure() -> Figures:
        figures = drain(stage, task, stage["jobs"])
        return {**figures, "empty_per_second": empty, "percent_of_empty": figures["per_second"] / empty * 100}

    yield measure
    stage.processes.end()


GROWTH = Benchmark(
    name="growth",
    about="throughput with a long history in many partitions, against an empty one",
    options={"jobs": 30_000, "history": 1_000_000, "partitions": 100, "concurrency": 8},
    opened=opened,
    repeat=3,
    against="history",
    values=(0, 100_000, 300_000, 1_000_000),
)
