"""A drained node finishes, ends, and takes nothing more until it is resumed, whoever starts a worker there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from scheduling.db import Connection
from scheduling.models import QueueEntry, Task, TaskInstance
from scheduling.services import run_task_now
from tests.factories import make_registration, make_task
from tests.processes.conftest import Start
from tests.support.processes import Started, manage
from tests.support.waiting import wait_until
from workers.models import Execution, LogChunk, Node

pytestmark = [pytest.mark.processes]


def worker(start: Start, name: str = "w", *args: str, **over: str) -> Started:
    """A worker that has registered."""
    started = start("runworker", "--handlers", "shell", "--name", name, *args, **over)
    wait_until(lambda: f"worker: {name} started" in started.said(), what="the worker has started")
    return started


def begun(count: int = 1) -> None:
    """Wait until so many executions have written something."""
    begun = LogChunk.objects.values("execution").distinct()
    wait_until(lambda: begun.count() >= count, what=f"{count} executions have begun")


def until(gate: Path) -> Task:
    """A task that says that it has begun, and ends when the file is there."""
    command = f"echo begun; while [ ! -e {gate} ]; do sleep 0.1; done"
    return make_task(params={"command": command}, overlap="allow")


def test_a_drained_node_finishes_ends_and_waits_for_its_resumption(
    conn: Connection, start: Start, tmp_path: Path
) -> None:
    first = worker(start, "w", "--concurrency", "1")
    gate = tmp_path / "gate"
    task = until(gate)
    running, waiting = run_task_now(task), run_task_now(task)
    begun()
    with pytest.raises(CommandError, match="1 executions had not ended; w stays drained"):
        call_command("drain", "w", "--wait", "--timeout", "0.1")
    gate.touch()
    done = manage("drain", "w", "--reason", "new kernel", "--wait", "--timeout", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing runs on w any more." in done.stdout
    assert first.wait() == 0
    assert "drained on request" in first.said()
    assert TaskInstance.objects.get(pk=running.pk).outcome == "succeeded"
    assert QueueEntry.objects.get().state == 0

    second = worker(start)
    wait_until(lambda: "new kernel" in second.said(), what="the new worker says why it waits")
    assert "--resume" in second.said()
    node = Node.objects.get()
    assert (node.state, node.held_by, node.held_reason) == ("draining", "the system", "new kernel")
    call_command("drain", "w", "--wait")
    assert second.end() == 0, "one that waits ends when it is told to"
    third = worker(start)
    assert QueueEntry.objects.get().state == 0
    call_command("drain", "w", "--resume", stdout=(said := StringIO()))
    assert "takes work again" in said.getvalue()
    wait_until(lambda: TaskInstance.objects.get(pk=waiting.pk).outcome == "succeeded", what="it goes on by itself")
    assert third.process.poll() is None
    wait_until(lambda: Node.objects.get().state == "online", what="the node is as before")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nowhere"], "no node"),
        (["w", "--resume", "--wait"], "--resume goes with none"),
        (["w", "--timeout", "1"], "give both"),
    ],
)
def test_what_cannot_be_drained_is_refused_with_a_sentence(conn: Connection, args: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("drain", *args)


def test_a_node_that_is_not_held_is_not_changed_by_a_resumption(conn: Connection) -> None:
    make_registration(conn, name="w")
    call_command("drain", "w", "--resume", stdout=(said := StringIO()))
    assert "nothing has changed" in said.getvalue()


def test_workers_restarted_one_after_another_lose_and_repeat_nothing(conn: Connection, start: Start) -> None:
    workers = {name: worker(start, name) for name in ("a", "b")}
    task = make_task(params={"command": "sleep 0.2"}, overlap="allow")
    instances = [run_task_now(task).pk for _ in range(20)]

    def at_work(name: str) -> bool:
        instances.append(run_task_now(task).pk)
        return Execution.objects.filter(node__name=name, state="running").exists()

    for name in ("a", "b"):
        wait_until(partial(at_work, name), what="it works at something")
        assert workers[name].end() == 0
        workers[name] = worker(start, name)
    wait_until(lambda: not QueueEntry.objects.exists(), what="everything has ended")
    assert set(TaskInstance.objects.values_list("outcome", flat=True)) == {"succeeded"}
    assert Execution.objects.filter(instance_id__in=instances).count() == len(instances), "each ran exactly once"


@contextmanager
def hung_server(conn: Connection) -> Iterator[None]:
    """Let the server answer none of the workers' connections."""
    pids = [
        row[0]
        for row in conn.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'rota worker%'"
            " AND datname = current_database()"
        ).fetchall()
    ]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_drain_does_not_wait_for_ever_for_a_server_that_does_not_answer(
    conn: Connection, start: Start, tmp_path: Path
) -> None:
    started = worker(start, "w", DJANGO_SETTINGS_MODULE="tests.processes.short_settings")
    gate = tmp_path / "gate"
    instance = run_task_now(until(gate))
    begun()
    with hung_server(conn):
        gate.touch()
        code = started.end()
    assert code == 75
    assert "1 results" in started.said()
    assert "the schedulers decide" in started.said()
    start("runscheduler", DJANGO_SETTINGS_MODULE="tests.processes.short_settings")
    worker(start, "other")
    wait_until(lambda: TaskInstance.objects.get(pk=instance.pk).outcome == "succeeded", what="it ran elsewhere")
    assert Execution.objects.filter(state="succeeded").count() == 1, "whether or not the server has heard of the first"


def test_work_that_does_not_stop_does_not_keep_a_worker_from_ending(conn: Connection, start: Start) -> None:
    started = worker(start, "w", DJANGO_SETTINGS_MODULE="tests.processes.short_settings")
    run_task_now(make_task(params={"command": "trap '' TERM; echo begun; sleep 9; sleep 9"}))
    begun()
    started.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "draining" in started.said(), what="the first signal was heard")
    assert started.end() == 75, "the second signal ends the grace"
    assert "1 did not stop either" in started.said()
    assert Node.objects.get().state == "stopped"
