"""planning: the CPU time that a scheduler needs to decide about one tick of each of many tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.errors import CannotMeasure
from scheduling.runtime.planning_benchmark import MOST_EXPRESSIONS, plan_a_minute


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Refuse what cannot be planned; nothing has to be prepared."""
    tasks, expressions = stage["tasks"], stage["expressions"]
    if not 1 <= expressions <= min(tasks, MOST_EXPRESSIONS):
        raise CannotMeasure(f"Give 1 to {MOST_EXPRESSIONS} expressions, no more than tasks.")

    def measure() -> Figures:
        planned = plan_a_minute(tasks=tasks, expressions=expressions)
        return {
            "ticks": planned.ticks,
            "next_fires_seconds": planned.next_fires_seconds,
            "decisions_seconds": planned.decisions_seconds,
        }

    yield measure


PLANNING = Benchmark(
    name="planning",
    about="CPU seconds to compute the next fires of many tasks and to decide about them; needs no database",
    options={"tasks": 100_000, "expressions": 500},
    opened=opened,
    headline="next_fires_seconds",
    against="tasks",
    values=(1_000, 10_000, 50_000, 100_000),
    needs_database=False,
)
