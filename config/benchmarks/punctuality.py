"""punctuality: how late handlers begin when R tasks fire in every second, spread evenly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.lateness import in_milliseconds, lateness
from config.benchmarks.tasks import create_tasks, spread_over_a_second
from config.benchmarks.work import wait_until_drained
from scheduling.db import database_now

#: Until everything runs evenly (seconds): plans made, definitions read, connections open.
WARM_UP = 4.0


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Have R tasks with the default policies fire once a second each."""
    ids = create_tasks(
        stage["rate"], function="benchmark.started_at", trigger="interval", every_seconds=1, enabled=False
    )
    stage.processes.start_schedulers(stage["schedulers"])
    stage.processes.start_workers(stage["processes"], concurrency=stage["concurrency"])
    spread_over_a_second(stage.conn, ids, database_now(stage.conn) + timedelta(seconds=2))
    time.sleep(2 + WARM_UP)
    yield lambda: _watch(stage, ids)
    stage.conn.execute("UPDATE rota_task SET enabled = false")
    wait_until_drained(stage.conn, stage.processes, total=1, tell=lambda share: None)
    stage.processes.end()


def _watch(stage: Stage, ids: list[int]) -> Figures:
    figures: Figures = {}
    began = database_now(stage.conn)
    until = began + timedelta(seconds=stage["seconds"])
    with stage.using(figures, jobs=lambda: stage["rate"] * stage["seconds"]):
        for step in range(stage["seconds"]):
            stage.tell(step / stage["seconds"])
            stage.processes.check()
            time.sleep(1)
    # What was due at the very end shall have ended too.
    time.sleep(1)
    late = lateness(stage.conn, ids, began, until)
    return {"fires_per_second": len(late) / stage["seconds"], **in_milliseconds(late), **figures}


PUNCTUALITY = Benchmark(
    name="punctuality",
    about="R tasks fire in each second: how late their handlers begin",
    options={"rate": 500, "seconds": 10, "schedulers": 1, "processes": 1, "concurrency": 8},
    opened=opened,
    repeat=3,
    headline="p99_ms",
    against="rate",
    values=(50, 100, 250, 500, 1_000),
)
