"""What the workers of a benchmark run."""

from __future__ import annotations

import time

from workers.functions import task


@task(name="benchmark.nothing")
def nothing() -> None:
    """Succeed at once."""


@task(name="benchmark.started_at")
def started_at() -> float:
    """Tell when the handler began, in seconds of this machine's clock."""
    return time.time()


@task(name="benchmark.talk")
def talk(lines: int, line: str) -> None:
    """Print ``line`` so many times."""
    for _ in range(lines):
        print(line)  # noqa: T201 - what a task prints goes to its log
