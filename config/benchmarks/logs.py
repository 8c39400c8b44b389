"""logs: how many rows and megabytes of output a worker stores in a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.throughput import drain
from config.benchmarks.work import make_task

#: One line of output: 100 bytes with its end.
LINE = "The quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. 0123456789 ab"

_STORED = """
SELECT count(*), coalesce(sum(octet_length(body)), 0) FROM rota_log_chunk
"""


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Have a worker that is warm."""
    task = make_task("talk", function="benchmark.talk", kwargs={"lines": stage["lines"], "line": LINE})
    stage.processes.start_workers(1, concurrency=stage["concurrency"])
    drain(stage, task, max(10, stage["jobs"] // 10))

    def measure() -> Figures:
        rows, size = _stored(stage)
        figures = drain(stage, task, stage["jobs"])
        more_rows, more = _stored(stage)
        seconds = figures["seconds"]
        return {
            "mb_per_second": (more - size) / seconds / 1e6,
            "rows_per_second": (more_rows - rows) / seconds,
            "lines_per_second": stage["jobs"] * stage["lines"] / seconds,
            **figures,
        }

    yield measure
    stage.processes.end()


def _stored(stage: Stage) -> tuple[int, int]:
    row = stage.conn.execute(_STORED).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return int(row[0]), int(row[1])


LOGS = Benchmark(
    name="logs",
    about="rows and megabytes of output that one worker stores in a second",
    options={"jobs": 5_000, "lines": 100, "concurrency": 8},
    opened=opened,
    repeat=3,
    headline="mb_per_second",
    against="lines",
    values=(1, 10, 100, 1_000),
)
