"""What becomes of work when its worker is killed, stopped, or asked to stop a task."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import tests.processes.functions  # noqa: F401 - registers them, so that params can be checked here too
from config.database.url import url_of_default
from scheduling.db import Connection
from scheduling.domain.states import Origin, Reason
from scheduling.engine.enqueue import enqueue
from scheduling.models import QueueEntry, Task, TaskInstance
from scheduling.services import cancel_instances, run_task_now
from tests.factories import make_task
from tests.processes.conftest import Start
from tests.support.processes import Started, manage
from tests.support.waiting import wait_until
from workers.domain.states import ExecutionState
from workers.engine.complete import Report, complete
from workers.engine.nodes import _REGISTRATION_LOCK
from workers.models import Execution, LogChunk, Node

pytestmark = [pytest.mark.processes]

MODULES = {"ROTA_TASK_MODULES": "tests.processes.functions"}


def worker(start: Start, *args: str, name: str = "w", **over: str) -> Started:
    """A worker that is online."""
    started = start("runworker", "--handlers", "python,shell", "--name", name, *args, **MODULES, **over)
    wait_until(lambda: f"worker: {name} started" in started.said(), what="the worker has started")
    return started


def sleeper(**over: object) -> Task:
    """A task that runs until it is cancelled."""
    return make_task(**{"handler": "python", "params": {"function": "tests.wait_for_cancel"}, **over})


def running(instance: TaskInstance) -> Execution:
    """Wait until a worker runs it, and return the execution."""
    wait_until(
        lambda: LogChunk.objects.filter(execution__instance_id=instance.pk, body__contains="waiting").exists(),
        what="the work has begun",
    )
    return Execution.objects.filter(instance=instance.pk).latest("id")


def outcome(instance: TaskInstance, seconds: float = 30) -> TaskInstance:
    """Wait for its end."""
    found = TaskInstance.objects.filter(pk=instance.pk, outcome__isnull=False)
    return wait_until(found.first, seconds=seconds, what="the instance has ended")  # type: ignore[return-value] # not None


@pytest.mark.parametrize(("on_worker_lost", "decision"), [("fail", "failed"), ("retry", "running")])
def test_killed_workers_work_is_lost_decided_and_its_late_report_refused(
    conn: Connection, start: Start, on_worker_lost: str, decision: str
) -> None:
    over = {"ROTA_LEASE_SECONDS": "6"}
    start("runscheduler", **over)
    doomed = worker(start, name="doomed", **over)
    instance = run_task_now(sleeper(on_worker_lost=on_worker_lost))
    execution = running(instance)
    doomed.kill()
    worker(start, name="survivor", **over)
    wait_until(lambda: Execution.objects.get(pk=execution.pk).state == "lost", what="the execution is lost")
    if decision == "failed":
        assert outcome(instance).reason == Reason.WORKER_LOST
    else:
        wait_until(
            lambda: Execution.objects.filter(instance=instance.pk, state="running").exists(), what="it runs again"
        )
    late = Report(
        instance_id=instance.pk,
        lease_id=execution.pk,
        scheduled_for=instance.scheduled_for,
        state=ExecutionState.SUCCEEDED,
        reason="completed",
    )
    assert complete(conn, [late]).stale == [execution.pk]
    assert Execution.objects.get(pk=execution.pk).state == "lost"
    if decision == "running":
        cancel_instances([instance])
        assert outcome(instance).outcome == "cancelled"


def test_a_worker_that_starts_again_on_its_node_takes_its_old_work_over_at_once(conn: Connection, start: Start) -> None:
    first = worker(start)
    instance = run_task_now(sleeper())
    execution = running(instance)
    first.kill()
    second = worker(start)
    wait_until(lambda: Execution.objects.get(pk=execution.pk).state == "lost", what="no scheduler is needed")
    wait_until(lambda: "took over 1" in second.said(), what="it says so")
    cancel_instances([instance])
    outcome(instance)


def test_work_that_nobody_announces_is_found_by_asking(conn: Connection, start: Start) -> None:
    worker(start)
    # Written by the verb alone: what a process leaves behind that dies between its commit and its announcement.
    created = enqueue(conn, task_id=make_task(params={"command": "true"}, overlap="allow").pk, origin=Origin.CODE)
    assert created is not None
    ended = outcome(TaskInstance.objects.get(pk=created.instance_id))
    assert ended.outcome == "succeeded"


def test_cancel_reaches_what_runs_and_says_who(conn: Connection, start: Start) -> None:
    worker(start)
    instance = run_task_now(make_task(params={"command": "echo waiting; sleep 600"}))
    running(instance)
    cancel_instances([instance], comment="Not today.")
    ended = outcome(instance)
    assert (ended.outcome, ended.reason) == ("cancelled", "cancelled")
    assert ended.message == "Cancelled by the system. Not today."


def test_a_newer_instance_kills_the_one_that_runs_and_a_person_may_kill_that(conn: Connection, start: Start) -> None:
    worker(start)
    stubborn = "trap '' TERM; echo waiting; while :; do sleep 0.05; done"
    task = make_task(params={"command": stubborn}, overlap="kill_running", kill_grace_seconds=3600)
    first = run_task_now(task)
    running(first)
    second = run_task_now(task)
    replaced = outcome(first)
    assert (replaced.outcome, replaced.reason) == ("cancelled", "replaced")
    assert str(second.pk) in replaced.message
    running(second)
    cancel_instances([second])
    cancel_instances([second], kill=True, comment="Now.")
    ended = outcome(second)
    assert (ended.reason, ended.message) == ("cancelled", "Killed by the system. Now.")


def test_a_stopping_worker_finishes_what_runs_and_takes_nothing_new(
    conn: Connection, start: Start, tmp_path: Path
) -> None:
    started = worker(start, "--concurrency", "1")
    gate = tmp_path / "gate"
    command = f"echo waiting; while [ ! -e {gate} ]; do sleep 0.1; done; echo done"
    task = make_task(params={"command": command}, overlap="allow")
    first = run_task_now(task)
    running(first)
    second = run_task_now(task)
    started.process.terminate()
    wait_until(lambda: "draining" in started.said(), what="it has heard")
    gate.touch()
    assert started.wait() == 0
    assert TaskInstance.objects.get(pk=first.pk).outcome == "succeeded"
    assert QueueEntry.objects.get().instance_id == second.pk
    assert QueueEntry.objects.get().state == 0
    assert Node.objects.get().state == "stopped"


def test_a_second_signal_stops_what_runs_and_it_runs_again_elsewhere(conn: Connection, start: Start) -> None:
    started = worker(start)
    instance = run_task_now(sleeper())
    running(instance)
    started.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "draining" in started.said(), what="the first signal was heard")
    started.end()
    assert Execution.objects.get().state == "lost"
    assert TaskInstance.objects.get(pk=instance.pk).outcome is None
    start("runscheduler")
    worker(start, name="other")
    wait_until(lambda: Execution.objects.filter(state="running").exists(), what="it runs again")
    cancel_instances([instance])
    outcome(instance)


def test_a_second_signal_ends_a_worker_that_hangs_before_it_has_started(conn: Connection, start: Start) -> None:
    with conn.transaction():
        # Nobody can take a node's name meanwhile.
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [_REGISTRATION_LOCK])
        started = start("runworker", "--handlers", "shell", "--name", "w", **MODULES)
        waits = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: conn.execute(waits).fetchone() is not None, what="the worker hangs")

        # Signals that come at once are one.
        started.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "another signal does not wait" in started.said(), what="it has heard the first signal")
        started.process.send_signal(signal.SIGTERM)
        wait_until(lambda: started.process.poll() is not None, what="it ends at the second")
    assert started.wait() == 0
    assert "worker: stopped before it had started" in started.said()
    assert not Node.objects.exists()


@pytest.mark.parametrize(
    ("value", "reason"),
    [("nul", "result_has_nul"), ("large", "result_too_large"), ("number", "result_not_json")],
)
def test_a_result_that_cannot_be_stored_fails_that_execution_and_no_other(
    conn: Connection, start: Start, value: str, reason: str
) -> None:
    task = make_task(handler="python", params={"function": "tests.give", "kwargs": {"value": 1}}, overlap="allow")
    instances = [run_task_now(task) for _ in range(5)]
    bad = run_task_now(task, params={"kwargs": {"value": value}})
    instances += [run_task_now(task) for _ in range(5)]
    worker(start)
    assert outcome(bad).reason == reason
    assert {outcome(instance).outcome for instance in instances} == {"succeeded"}


def test_a_failing_attempt_is_tried_again_after_its_delay(conn: Connection, start: Start) -> None:
    start("runscheduler")
    worker(start)
    task = make_task(
        params={"command": 'echo "attempt $ROTA_ATTEMPT"; test "$ROTA_ATTEMPT" = 3'},
        max_attempts=3,
        retry_backoff="fixed",
        retry_delay_seconds=0,
    )
    ended = outcome(run_task_now(task))
    assert (ended.outcome, ended.attempts) == ("succeeded", 3)
    states = Execution.objects.filter(instance=ended.pk).order_by("attempt").values_list("state", flat=True)
    assert list(states) == ["failed", "failed", "succeeded"]


def test_what_raises_fails_with_its_traceback_in_the_log(conn: Connection, start: Start) -> None:
    worker(start)
    task = make_task(handler="python", params={"function": "tests.divide", "kwargs": {"by": 0}})
    ended = outcome(run_task_now(task))
    assert (ended.outcome, ended.reason) == ("failed", "exception")
    log = "".join(LogChunk.objects.filter(execution__instance_id=ended.pk).values_list("body", flat=True))
    assert "Traceback" in log
    assert "ZeroDivisionError: division by zero" in log


def test_an_unknown_handler_fails_its_instances_by_name_and_the_worker_goes_on(conn: Connection, start: Start) -> None:
    lost = run_task_now(make_task(handler="teleport", params={}))
    start("runscheduler")
    worker(start)
    ended = outcome(lost)
    assert (ended.outcome, ended.reason) == ("failed", "unknown_handler")
    assert "teleport" in ended.message
    assert outcome(run_task_now(make_task())).outcome == "succeeded"


def test_work_for_a_handler_that_no_worker_was_started_with_waits(conn: Connection, start: Start) -> None:
    instance = run_task_now(make_task())
    start("runscheduler")
    started = start("runworker", "--handlers", "python", "--name", "w", **MODULES)
    wait_until(lambda: "started" in started.said())
    other = run_task_now(make_task(handler="python", params={"function": "tests.nothing"}))
    assert outcome(other).outcome == "succeeded"
    assert TaskInstance.objects.with_entry().get(pk=instance.pk).state == "ready"


def test_two_workers_cannot_share_a_name(conn: Connection, start: Start) -> None:
    worker(start, name="same")
    refused = manage("runworker", "--name", "same")
    assert refused.returncode == 1
    assert "is alive" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_runworker_is_ours_and_not_the_one_that_channels_brings() -> None:
    from django.core.management import get_commands

    assert get_commands()["runworker"] == "workers"


def test_a_handler_that_does_not_exist_is_refused_when_the_worker_starts(conn: Connection) -> None:
    refused = manage("runworker", "--handlers", "shell,teleport")
    assert refused.returncode == 1
    assert "teleport" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["runscheduler", "runworker", "checkqueue"])
def test_on_a_database_that_was_never_migrated_a_command_says_what_to_do(conn: Connection, command: str) -> None:
    conn.execute("DROP DATABASE IF EXISTS rota_never_migrated")
    conn.execute("CREATE DATABASE rota_never_migrated TEMPLATE template0")
    try:
        refused = manage(
            command, DATABASE_URL=url_of_default().replace(f"/{conn.info.dbname}?", "/rota_never_migrated?")
        )
    finally:
        conn.execute("DROP DATABASE rota_never_migrated")
    assert refused.returncode == 1
    assert "run manage.py migrate" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_worker_that_is_asked_to_end_while_it_registers_leaves_no_name_behind(conn: Connection, start: Start) -> None:
    def waits() -> bool:
        conn.execute("SELECT pg_stat_clear_snapshot()")
        looking = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'rota worker register' AND wait_event = %s"
        return conn.execute(looking, ["relation"]).fetchone() is not None

    with conn.transaction():
        conn.execute("LOCK TABLE rota_node")
        asked = start("runworker", "--handlers", "python", "--name", "w", **MODULES)
        wait_until(waits, what="it waits for its turn")
        asked.process.terminate()
    assert asked.wait() == 0
    assert not Node.objects.exclude(state="stopped").exists()
    assert "worker: stopped" in asked.said()
