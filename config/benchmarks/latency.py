"""latency: from the commit that puts one instance into the queue to the start of its handler, on an idle system."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle

from django.db import transaction

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.errors import Stuck
from config.benchmarks.lateness import in_milliseconds
from config.benchmarks.work import make_task, wait_until_drained
from scheduling.models import Task
from scheduling.services.run import run_task_now

#: How many tasks with the default policies take turns.
LIMITED = 10

#: Between two runs (seconds): longer than announcements are gathered, so that each run meets an idle system.
PAUSE = (0.06, 0.09)

_STARTS = "SELECT instance_id, (result #>> '{}')::float8 FROM rota_execution WHERE instance_id = ANY(%s)"


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Have an idle worker."""
    # One that may overlap, and one with the default policies, which has to be admitted first.
    free = make_task("free", function="benchmark.started_at")
    # Several of those, so that a run does not meet the end of the one before.
    limited = [
        make_task(f"limited {number}", function="benchmark.started_at", overlap="skip") for number in range(LIMITED)
    ]
    stage.processes.start_workers(1, concurrency=stage["concurrency"])
    _time(stage, [free], 20)
    _time(stage, limited, 20)

    def measure() -> Figures:
        stage.tell(0.0)
        figures = _time(stage, [free], stage["samples"])
        stage.tell(0.5)
        figures |= {f"limited_{name}": value for name, value in _time(stage, limited, stage["samples"]).items()}
        return figures

    yield measure
    stage.processes.end()


def _time(stage: Stage, tasks: Sequence[Task], samples: int) -> Figures:
    called: dict[int, float] = {}
    committed: dict[int, float] = {}
    for _, task in zip(range(samples), cycle(tasks), strict=False):
        asked = time.time()
        with transaction.atomic():
            # The first of the hooks, ahead of the one that announces the work.
            moments: list[float] = []
            transaction.on_commit(partial(_note, moments))
            instance = run_task_now(task)
        called[instance.pk], committed[instance.pk] = asked, moments[0]
        time.sleep(random.uniform(*PAUSE))  # noqa: S311 - nobody gains by guessing it
    wait_until_drained(stage.conn, stage.processes, total=samples, tell=lambda share: None)
    # Function and caller run on one machine and read one clock.
    starts: dict[int, float] = dict(stage.conn.execute(_STARTS, [list(committed)]).fetchall())
    if len(starts) < samples:
        raise Stuck(f"Of {samples} runs {samples - len(starts)} were skipped: this machine is too busy.")
    waited = in_milliseconds(sorted(starts[key] - moment for key, moment in committed.items()))
    with_call = in_milliseconds(sorted(starts[key] - moment for key, moment in called.items()))
    return {**waited, "with_call_p50_ms": with_call["p50_ms"]}


def _note(moments: list[float]) -> None:
    moments.append(time.time())


LATENCY = Benchmark(
    name="latency",
    about="from the commit of one run to the start of its handler, on an idle system",
    options={"samples": 150, "concurrency": 8},
    opened=opened,
    headline="p50_ms",
    against="concurrency",
    values=(1, 8, 32, 64),
)
