"""A loop that stands still ends its process; a process that as a whole stood still, or a lost database, does not."""

from __future__ import annotations

import signal
import time
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from scheduling.db import Connection, database_now
from scheduling.models import Scheduler
from scheduling.runtime.watchdog import EXIT_STALLED, Watchdog
from tests.processes.conftest import Start
from tests.support.processes import Started
from tests.support.waiting import wait_until
from workers.models import Node

#: A statement that waits for a lock is not cut off here, so that the loop itself stands still.
SHORT = {"DJANGO_SETTINGS_MODULE": "tests.processes.patient_settings"}


def scheduler(start: Start) -> Started:
    """A scheduler that has entered itself."""
    started = start("runscheduler", **SHORT)
    wait_until(Scheduler.objects.exists, what="it has entered itself")
    return started


@pytest.mark.processes
@pytest.mark.parametrize("command", ["runscheduler", "runworker"])
def test_a_loop_that_waits_for_a_lock_which_nobody_releases_ends_its_process(
    conn: Connection, start: Start, command: str
) -> None:
    if command == "runscheduler":
        started, table = scheduler(start), "rota_scheduler"
    else:
        started, table = start("runworker", "--name", "w", **SHORT), "rota_queue_entry"
        wait_until(Node.objects.exists, what="it has registered")
    with conn.transaction():
        conn.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        code = started.wait()
    assert code == EXIT_STALLED
    said = started.said()
    assert "has not turned for 2 s" in said
    assert "most recent call first" in said, "where each thread stands"


@pytest.mark.processes
def test_processes_that_were_stopped_for_long_go_on(conn: Connection, start: Start) -> None:
    started = [scheduler(start), start("runworker", "--name", "w", **SHORT)]
    wait_until(Node.objects.exists, what="it has registered")
    for each in started:
        each.process.send_signal(signal.SIGSTOP)
    stopped_at = time.monotonic()
    wait_until(lambda: time.monotonic() - stopped_at > 4, what="twice the watchdog's time is over")
    for each in started:
        each.process.send_signal(signal.SIGCONT)
    went_on_at = database_now(conn)
    wait_until(
        lambda: Scheduler.objects.filter(last_seen_at__gt=went_on_at + timedelta(seconds=3)).exists(),
        what="longer than the watchdog's time has passed since",
    )
    assert [each.process.poll() for each in started] == [None, None]


@pytest.mark.processes
def test_a_database_that_is_away_is_no_stall(conn: Connection, start: Start) -> None:
    started = [scheduler(start), start("runworker", "--name", "w", **SHORT)]
    wait_until(Node.objects.exists, what="it has registered")
    with psycopg.connect(conn.info.dsn, dbname="postgres", autocommit=True) as elsewhere:
        name = sql.Identifier(conn.info.dbname)
        elsewhere.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        try:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name ~ '^rota (s|w|n)' AND datname = current_database()"
            )
            cut_at = time.monotonic()
            wait_until(lambda: time.monotonic() - cut_at > 5, what="more than twice the watchdog's time is over")
            assert [each.process.poll() for each in started] == [None, None]
        finally:
            elsewhere.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    came_back_at = database_now(conn)
    wait_until(
        lambda: (
            Scheduler.objects.filter(last_seen_at__gt=came_back_at).exists()
            and Node.objects.filter(last_seen_at__gt=came_back_at, state="online").exists()
        ),
        what="both go on by themselves",
    )


def test_a_loop_may_sleep_for_as_long_as_it_said() -> None:
    ended: list[int] = []
    watchdog = Watchdog(seconds=0.05, who="test", end=ended.append, look_seconds=0.01)
    watch = watchdog.watch("turn")
    watch.turned(rest=3600)
    assert watchdog.look() is None
    watch.turned()
    wait_until(watchdog.look, what="silence is found")
    watch.end()
    assert watchdog.look() is None


def test_a_process_that_stood_still_as_a_whole_is_given_another_period(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("scheduling.runtime.watchdog.time.monotonic", lambda: now)
    watchdog = Watchdog(seconds=2, who="test", end=lambda code: None)
    watch = watchdog.watch("turn")
    watch.turned()
    assert watchdog.look() is None
    # A little longer than the watchdog's time, and not even it looked.
    now += 2.2
    assert watchdog.look() is None
    for _ in range(5):
        now += 0.5
        late = watchdog.look()
    assert late is watch, "it still stands"


def test_a_loop_that_slept_while_its_process_stood_still_may_sleep_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("scheduling.runtime.watchdog.time.monotonic", lambda: now)
    watchdog = Watchdog(seconds=2, who="test", end=lambda code: None)
    watch = watchdog.watch("turn")
    assert watchdog.look() is None
    watch.turned(rest=5)
    # Stopped for ten seconds; then the sleep of five begins anew.
    now += 10
    assert watchdog.look() is None
    for _ in range(14):
        now += 0.5
        assert watchdog.look() is None
    now += 0.5
    assert watchdog.look() is watch
