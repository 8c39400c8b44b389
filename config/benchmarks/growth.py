"""growth: throughput with a long history in many partitions behind it, against an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.history import fill_history
from config.benchmarks.screen import medians
from config.benchmarks.throughput import drain
from config.benchmarks.work import make_task

#: How often the empty history is measured, for a median to compare with.
EMPTY_REPEATS = 3

#: What is told of the empty history. CPU times say more than rates where other work goes on beside.
COMPARED = ("per_second", "processes_cpu_us_per_job", "database_cpu_us_per_job")


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Measure with next to no history, then make one."""
    task, past = make_task("nothing"), make_task("past")
    stage.processes.start_workers(1, concurrency=stage["concurrency"])
    drain(stage, task, max(200, stage["jobs"] // 10))
    before = medians([drain(stage, task, stage["jobs"]) for _ in range(EMPTY_REPEATS)])
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
        empty = {f"empty_{name}": before[name] for name in COMPARED if name in before}
        percent = figures["per_second"] / before["per_second"] * 100
        return {**figures, **empty, "percent_of_empty": percent}

    yield measure
    stage.processes.end()


GROWTH = Benchmark(
    name="growth",
    about="throughput with a long history in many partitions, against an empty one",
    options={"jobs": 30_000, "history": 1_000_000, "partitions": 100, "concurrency": 8},
    opened=opened,
    repeat=3,
    headline="percent_of_empty",
    against="history",
    values=(0, 100_000, 300_000, 1_000_000),
)
