"""runworker --processes: several workers under one command, kept alive and ended together."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from scheduling.db import Connection
from scheduling.models import TaskInstance
from scheduling.services import run_task_now
from tests.factories import make_task
from tests.processes.conftest import Start
from tests.support.waiting import wait_until
from workers.models import Node

pytestmark = [pytest.mark.processes]


def pid_of(name: str) -> int:
    return Node.objects.get(name=name).pid


def test_processes_share_the_work_come_back_when_they_die_and_end_together(
    conn: Connection, start: Start, tmp_path: Path
) -> None:
    command = start("runworker", "--processes", "2", "--name", "w", "--concurrency", "1", "--handlers", "shell")
    wait_until(lambda: Node.objects.filter(name__in=["w-1", "w-2"], state="online").count() == 2)
    # One slot each: two that wait for each other are in two processes.
    count = f"ls {tmp_path}/*.run | wc -l"
    both_run = f'touch "{tmp_path}/$ROTA_INSTANCE_ID.run"; until [ $({count}) = 2 ]; do sleep 0.1; done'
    task = make_task(params={"command": both_run}, overlap="allow")
    both = [run_task_now(task).pk for _ in range(2)]
    wait_until(lambda: TaskInstance.objects.filter(pk__in=both, outcome="succeeded").count() == 2)
    assert conn.execute("SELECT count(DISTINCT node_id) FROM rota_execution").fetchone() == (2,)
    died = pid_of("w-1")
    os.kill(died, signal.SIGKILL)
    wait_until(lambda: pid_of("w-1") != died, what="it is started again")
    assert "w-1 ended by itself by signal 9; it is started again in 1 s" in command.said()
    assert command.end() == 0
    assert set(Node.objects.values_list("state", flat=True)) == {"stopped"}
    assert "all have stopped" in command.said()


def test_processes_that_are_asked_to_end_while_they_start_end_in_order(conn: Connection, start: Start) -> None:
    command = start("runworker", "--processes", "2", "--name", "w", "--handlers", "shell")
    begun = Path(f"/proc/{command.process.pid}/task/{command.process.pid}/children")
    wait_until(lambda: len(begun.read_text().split()) == 2, what="both have begun")
    assert command.end() == 0
    assert not Node.objects.exclude(state="stopped").exists()
    assert "all have stopped" in command.said()


def test_a_second_signal_reaches_every_process(conn: Connection, start: Start) -> None:
    command = start("runworker", "--processes", "2", "--name", "w", "--concurrency", "1", "--handlers", "shell")
    wait_until(lambda: Node.objects.filter(state="online").count() == 2)
    task = make_task(params={"command": "sleep 600"}, overlap="allow")
    for _ in range(2):
        run_task_now(task)
    wait_until(lambda: conn.execute("SELECT count(*) FROM rota_execution WHERE state = 'running'").fetchone() == (2,))
    command.process.send_signal(signal.SIGTERM)
    wait_until(lambda: command.said().count("draining, 1 running") == 2)
    command.end()
    assert set(conn.execute("SELECT state FROM rota_execution").fetchall()) == {("lost",)}


def test_a_worker_holds_three_connections(conn: Connection, start: Start) -> None:
    start("runworker", "--name", "w", "--concurrency", "64", "--handlers", "shell")
    wait_until(lambda: Node.objects.filter(name="w", state="online").exists())
    for _ in range(20):
        run_task_now(make_task(overlap="allow"))
    wait_until(lambda: TaskInstance.objects.filter(outcome="succeeded").count() == 20)
    sessions = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'rota worker%'"
    )
    # One that it has closed may still be on its way out of the server.
    wait_until(lambda: conn.execute(sessions).fetchone() == (3,), what="there are three")
