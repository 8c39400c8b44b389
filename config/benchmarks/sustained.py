"""sustained: how many ticks in a second are fired, run and completed, for a while, with a backlog that stays flat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.errors import Stuck
from config.benchmarks.tasks import create_tasks, spread_over_a_second
from scheduling.db import database_now

#: The first rate that is tried, and by how much it is raised while it is kept up with.
FIRST_RATE, STEP = 1000, 1.25

#: How long a rate is tried (seconds) after it has settled for so long.
TRY_SECONDS, SETTLE_SECONDS = 5, 3

#: A rate is kept up with while no more than so many seconds' worth of ticks are due and have not ended.
BACKLOG_SECONDS = 0.5

_ENDED = "SELECT count(*) FROM rota_instance WHERE outcome = 'succeeded' AND finished_at BETWEEN %s AND %s"
_BEHIND = """
SELECT count(*) FILTER (WHERE next_run_at < clock_timestamp()) FROM rota_task_clock
"""
_QUEUED = "SELECT count(*) FROM rota_queue_entry"


@dataclass(frozen=True, slots=True)
class Span:
    """What was seen in one stretch of time."""

    per_second: float
    #: The largest number of ticks that were due and had not ended, at the looks in its second half.
    backlog: int
    skipped: int


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Find the rate that is kept up with, unless one was given."""
    stage.processes.start_schedulers(stage["schedulers"])
    stage.processes.start_workers(stage["processes"], concurrency=stage["concurrency"])
    if stage["rate"]:
        load = _Load(stage)
        load.set(stage["rate"])
    else:
        load = _search(stage)

    def measure() -> Figures:
        figures: Figures = {}
        counted: list[float] = []
        with stage.using(figures, jobs=lambda: counted[0]):
            span = load.watch(stage["seconds"])
            counted.append(span.per_second * stage["seconds"])
        return {
            "per_second": span.per_second,
            "rate": load.rate,
            "backlog": span.backlog,
            "flat": float(span.backlog <= load.rate * BACKLOG_SECONDS),
            "skipped": span.skipped,
            **figures,
        }

    yield measure
    stage.conn.execute("UPDATE rota_task SET enabled = false")
    stage.processes.end()


class _Load:
    """Interval tasks, of which as many are enabled as fires are wanted in a second."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ids: list[int] = []
        self.rate = 0

    def set(self, rate: int) -> None:
        """Have ``rate`` tasks fire once a second each, evenly spread, and let that settle."""
        self.pause()
        if rate > len(self._ids):
            more = create_tasks(
                rate - len(self._ids),
                function="benchmark.nothing",
                trigger="interval",
                every_seconds=1,
                enabled=False,
            )
            self._ids += more
        self.rate = rate
        begin = database_now(self._stage.conn) + timedelta(seconds=1 + rate / 5000)
        spread_over_a_second(self._stage.conn, self._ids[:rate], begin)
        time.sleep((begin - database_now(self._stage.conn)).total_seconds() + SETTLE_SECONDS)

    def pause(self) -> None:
        """Have nothing fire, and wait until what fired has ended."""
        conn = self._stage.conn
        conn.execute("UPDATE rota_task SET enabled = false WHERE enabled")
        deadline = time.monotonic() + 60
        while conn.execute("SELECT EXISTS (SELECT FROM rota_queue_entry)").fetchone() == (True,):
            self._stage.processes.check()
            if time.monotonic() > deadline:
                raise Stuck("What was fired does not end.")
            time.sleep(0.1)

    def watch(self, seconds: int) -> Span:
        """Look on for so long."""
        conn, began = self._stage.conn, database_now(self._stage.conn)
        backlog = 0
        for second in range(seconds):
            self._stage.tell(second / seconds)
            self._stage.processes.check()
            time.sleep(1)
            if second >= seconds // 2:
                backlog = max(backlog, _one(self._stage, _BEHIND) + _one(self._stage, _QUEUED))
        until = database_now(conn)
        ended = _between(self._stage, _ENDED, began, until)
        skipped = _between(self._stage, _ENDED.replace("succeeded", "skipped"), began, until)
        return Span(ended / (until - began).total_seconds(), backlog, skipped)


def _search(stage: Stage) -> _Load:
    load = _Load(stage)
    rate, best = FIRST_RATE, 0
    while True:
        load.set(rate)
        span = load.watch(TRY_SECONDS)
        if span.per_second < rate * 0.97 or span.backlog > rate * BACKLOG_SECONDS:
            break
        best, rate = rate, int(rate * STEP)
    if not best:
        raise Stuck(f"This machine does not keep up with {FIRST_RATE} a second; give a lower --rate.")
    load.set(best)
    return load


def _one(stage: Stage, statement: str) -> int:
    row = stage.conn.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0


def _between(stage: Stage, statement: str, began: datetime, until: datetime) -> int:
    row = stage.conn.execute(statement.encode(), [began, until]).fetchone()
    return int(row[0]) if row else 0


SUSTAINED = Benchmark(
    name="sustained",
    about="ticks fired, run and completed in a second, the backlog flat (--rate 0: the highest rate is looked for)",
    options={"rate": 0, "seconds": 60, "schedulers": 1, "processes": 1, "concurrency": 8},
    opened=opened,
    repeat=1,
    against="processes",
    values=(1, 2),
)
