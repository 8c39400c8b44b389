"""herd: many tasks that are due in the same second, and how soon the last of their instances is committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.errors import Stuck
from config.benchmarks.lateness import in_milliseconds, lateness
from config.benchmarks.tasks import create_tasks
from config.benchmarks.work import STUCK_SECONDS
from scheduling.db import CLOCK_CHANNEL, database_now

#: How far ahead (seconds) a herd is planned: a scheduler reads its clocks in that time.
AHEAD = 3.0

#: How often (seconds) it is asked whether the last one has been committed; the answer is that much too late at most.
LOOK = 0.005

#: How many tasks are edited in one statement.
EDITED_AT_ONCE = 5_000

_AT = """
UPDATE rota_task SET run_at = %(moment)s WHERE id = ANY(%(ids)s)
"""
# Schedulers read clocks in this order, so this one is fired among the last.
_LAST = "SELECT max(task_id) FROM rota_task_clock WHERE next_run_at <= %s"
_LEFT = "SELECT EXISTS (SELECT FROM rota_task_clock WHERE task_id = %s AND next_run_at <= %s), clock_timestamp()"
_FIRED = "SELECT count(*) FROM rota_instance WHERE scheduled_for = %s"
_ENDED = "SELECT count(*) FROM rota_instance WHERE scheduled_for = %s AND outcome = 'succeeded'"


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Have tasks that run once, with the default policies, schedulers and workers."""
    first = database_now(stage.conn) + timedelta(days=400)
    ids = create_tasks(stage["tasks"], function="benchmark.started_at", trigger="once", run_at=first)
    stage.processes.start_schedulers(stage["schedulers"])
    stage.processes.start_workers(stage["processes"], concurrency=stage["concurrency"])
    _herd(stage, ids[: max(1, len(ids) // 20)])
    yield lambda: _herd(stage, ids)
    stage.processes.end()


def _herd(stage: Stage, ids: list[int]) -> Figures:
    figures: Figures = {}
    moment = _set_moment(stage, ids)
    with stage.using(figures, jobs=lambda: len(ids)):
        committed = _await_committed(stage, moment)
        fired = _count(stage, _FIRED, moment)
        if fired != len(ids):
            raise Stuck(f"Of {len(ids)} due tasks {fired} fired.")
        _await_ended(stage, moment, len(ids))
    seconds = (committed - moment).total_seconds()
    return {
        "seconds": seconds,
        "fires_per_second": len(ids) / seconds,
        **in_milliseconds(lateness(stage.conn, ids, moment, moment)),
        **figures,
    }


def _set_moment(stage: Stage, ids: list[int]) -> datetime:
    """Have all of ``ids`` due at one full second, so far ahead that every scheduler has planned them by then."""
    began = time.monotonic()
    placeholder = database_now(stage.conn) + timedelta(days=300)
    _set(stage, placeholder, ids)
    _await_planned(stage)
    rewriting = time.monotonic() - began
    moment = database_now(stage.conn).replace(microsecond=0) + timedelta(seconds=int(AHEAD + rewriting * 1.5) + 1)
    _set(stage, moment, ids)
    _await_planned(stage)
    stage.conn.execute("VACUUM ANALYZE rota_task_clock")
    # Schedulers that planned nothing themselves read what their peers have planned.
    stage.conn.execute("SELECT pg_notify(%s, '')", [CLOCK_CHANNEL])
    return moment


def _set(stage: Stage, moment: datetime, ids: list[int]) -> None:
    # Each edit runs triggers; all in one statement would take longer than a statement may.
    for start in range(0, len(ids), EDITED_AT_ONCE):
        stage.conn.execute(_AT, {"moment": moment, "ids": ids[start : start + EDITED_AT_ONCE]})


def _await_planned(stage: Stage) -> None:
    deadline = time.monotonic() + STUCK_SECONDS
    while stage.conn.execute("SELECT EXISTS (SELECT FROM rota_task_clock WHERE dirty)").fetchone() == (True,):
        stage.processes.check()
        if time.monotonic() > deadline:
            raise Stuck("The scheduler does not plan the tasks.")
        time.sleep(0.05)


def _await_committed(stage: Stage, moment: datetime) -> datetime:
    pause = (moment - database_now(stage.conn)).total_seconds()
    if pause < 0:
        raise Stuck("Planning the tasks took longer than expected; this machine is too busy for so many.")
    time.sleep(max(0.0, pause - 0.1))
    deadline = time.monotonic() + STUCK_SECONDS
    last, looked_at = _last(stage, moment), moment
    while last is not None:
        # One clock is looked at, not all of them: to be asked so often would keep the server from firing.
        row = stage.conn.execute(_LEFT, [last, moment]).fetchone()
        assert row is not None  # noqa: S101 - a SELECT of expressions has one row
        left, looked_at = row
        if not left:
            last = _last(stage, moment)
            continue
        stage.processes.check()
        if time.monotonic() > deadline:
            raise Stuck(f"Not all tasks fired within {STUCK_SECONDS:g} s.")
        time.sleep(LOOK)
    return looked_at


def _last(stage: Stage, moment: datetime) -> int | None:
    """Return a clock that was not fired yet, the last in order, or None."""
    row = stage.conn.execute(_LAST, [moment]).fetchone()
    return row[0] if row else None


def _await_ended(stage: Stage, moment: datetime, count: int) -> None:
    deadline = time.monotonic() + STUCK_SECONDS
    while True:
        began = time.monotonic()
        if (ended := _count(stage, _ENDED, moment)) >= count:
            return
        stage.tell(ended / count)
        stage.processes.check()
        if time.monotonic() > deadline:
            raise Stuck(f"Of {count} instances {ended} ended within {STUCK_SECONDS:g} s.")
        # Counting reads the whole history of the moment, and must not be what is measured.
        time.sleep(max(0.2, 20 * (time.monotonic() - began)))


def _count(stage: Stage, statement: str, moment: datetime) -> int:
    row = stage.conn.execute(statement.encode(), [moment]).fetchone()
    return int(row[0]) if row else 0


HERD = Benchmark(
    name="herd",
    about="many tasks due in one second: when the last instance is committed, and how late handlers begin",
    options={"tasks": 10_000, "schedulers": 1, "processes": 1, "concurrency": 8},
    opened=opened,
    headline="seconds",
    against="tasks",
    values=(100, 1_000, 10_000, 30_000),
)
