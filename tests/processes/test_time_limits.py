"""Time limits and outcomes of attempts, with real workers: what cannot be stopped, what burns, what is too slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduling.db import Connection
from scheduling.models import QueueEntry, TaskInstance
from scheduling.services import cancel_instances, run_task_now
from tests.factories import make_task
from tests.processes.conftest import Start
from tests.processes.test_worker_life import outcome, running, worker
from tests.support.waiting import wait_until
from workers.models import Execution, LogChunk, Node

pytestmark = [pytest.mark.processes]


def log_of(instance: TaskInstance, stream: str) -> str:
    chunks = LogChunk.objects.filter(execution__instance_id=instance.pk, stream=stream).order_by("seq")
    return "".join(chunks.values_list("body", flat=True))


def test_a_worker_with_a_thread_that_cannot_be_stopped_says_so_finishes_the_rest_and_replaces_itself(
    conn: Connection, start: Start, tmp_path: Path
) -> None:
    started = worker(start)
    gate = tmp_path / "gate"
    rest = make_task(params={"command": f"echo waiting; while [ ! -e {gate} ]; do sleep 0.1; done"})
    beside = run_task_now(rest)
    running(beside)
    stuck = run_task_now(
        make_task(
            handler="python",
            params={"function": "tests.sleep", "kwargs": {"seconds": 3600}},
            timeout_seconds=1,
            kill_grace_seconds=1,
        )
    )
    ended = outcome(stuck)
    assert (ended.outcome, ended.reason) == ("failed", "timed_out")
    assert ended.message == "The work did not end before its deadline, and its thread could not be stopped."
    assert "time.sleep(seconds)" in log_of(stuck, "note")
    assert Execution.objects.get(instance=stuck.pk).state == "timed_out"
    wait_until(lambda: "could not be stopped; taking nothing new" in started.said(), what="the worker says so")
    gate.touch()
    assert outcome(beside).outcome == "succeeded"
    wait_until(lambda: started.said().count("worker: w started") == 2, what="the worker has started again")
    assert started.process.poll() is None, "as the same process"
    after = run_task_now(rest)
    assert outcome(after).outcome == "succeeded"
    assert Node.objects.get().state == "online"
    assert "Traceback" not in started.said()


def test_cancelling_what_cannot_be_stopped_ends_it_as_cancelled(conn: Connection, start: Start) -> None:
    started = worker(start)
    instance = run_task_now(
        make_task(
            handler="python", params={"function": "tests.sleep", "kwargs": {"seconds": 3600}}, kill_grace_seconds=0
        )
    )
    running(instance)
    cancel_instances([instance], comment="Not today.")
    ended = outcome(instance)
    assert (ended.outcome, ended.message) == ("cancelled", "Cancelled by the system. Not today.")
    wait_until(lambda: started.said().count("worker: w started") == 2, what="the worker has started again")


def test_python_code_that_keeps_a_core_busy_costs_no_lease(conn: Connection, start: Start) -> None:
    start("runscheduler", ROTA_LEASE_SECONDS="4")
    worker(start, ROTA_LEASE_SECONDS="4")
    task = make_task(handler="python", params={"function": "tests.burn", "kwargs": {"seconds": 5}}, overlap="allow")
    # Two at once, so that they also fight each other for the interpreter.
    instances = [run_task_now(task), run_task_now(task)]
    ended = [outcome(instance) for instance in instances]
    assert [(each.outcome, each.attempts) for each in ended] == [("succeeded", 1)] * 2


def test_work_puts_itself_off_without_using_attempts_or_says_when_to_try_again(conn: Connection, start: Start) -> None:
    start("runscheduler")
    worker(start)
    early = run_task_now(
        make_task(handler="python", params={"function": "tests.later_then_done", "kwargs": {"times": 3}})
    )
    failing = run_task_now(
        make_task(
            handler="python",
            params={"function": "tests.retry_in", "kwargs": {"seconds": 3600}},
            max_attempts=2,
            retry_backoff="fixed",
            retry_delay_seconds=0,
        )
    )
    ended = outcome(early)
    assert (ended.outcome, ended.attempts) == ("succeeded", 4)
    reasons = Execution.objects.filter(instance=ended.pk).order_by("attempt").values_list("reason", flat=True)
    assert list(reasons) == ["put_off", "put_off", "put_off", "completed"]
    waiting = wait_until(
        QueueEntry.objects.filter(instance_id=failing.pk, state=3).first, what="it waits for its next attempt"
    )
    assert waiting is not None
    tried = Execution.objects.get(instance=failing.pk)
    assert tried.finished_at is not None
    assert 3590 < (waiting.run_at - tried.finished_at).total_seconds() < 3610
    cancel_instances([failing])


def test_the_kind_of_failure_decides_about_another_attempt(conn: Connection, start: Start) -> None:
    start("runscheduler")
    worker(start)
    rule = {"params": {"command": "exit 75"}, "max_attempts": 2, "retry_backoff": "list", "retry_delays": [0]}
    once = run_task_now(make_task(**rule, give_up_on=["75"]))
    twice = run_task_now(make_task(**rule, retry_on=["75", "timed_out"]))
    assert (outcome(once).reason, outcome(once).attempts) == ("exit_code", 1)
    assert (outcome(twice).reason, outcome(twice).attempts) == ("exit_code", 2)


def test_work_that_is_slower_than_its_soft_limit_is_marked_and_goes_on(
    conn: Connection, start: Start, tmp_path: Path
) -> None:
    started = worker(start)
    gate = tmp_path / "gate"
    params = {"function": "tests.slow", "kwargs": {"until": str(gate)}}
    instance = run_task_now(make_task(handler="python", params=params, soft_timeout_seconds=1))
    wait_until(lambda: log_of(instance, "note"), what="the log says so")
    gate.touch()
    ended = outcome(instance)
    assert (ended.outcome, ended.reason) == ("succeeded", "completed")
    assert ended.message == "It took longer than the 1 s after which its task warns."
    assert log_of(ended, "note") == "Still running after 1 s; it goes on.\n"
    wait_until(lambda: "still runs after 1 s" in started.said(), what="the worker says so")


def test_work_with_a_time_limit_runs_again_when_its_worker_is_killed(conn: Connection, start: Start) -> None:
    over = {"ROTA_LEASE_SECONDS": "3"}
    start("runscheduler", **over)
    doomed = worker(start, name="doomed", **over)
    task = make_task(
        handler="python",
        params={"function": "tests.wait_for_cancel", "kwargs": {"seconds": 3600}},
        timeout_seconds=5,
        kill_grace_seconds=1,
        on_worker_lost="retry",
    )
    instance = run_task_now(task)
    first = running(instance)
    doomed.kill()
    worker(start, name="survivor", **over)
    # The time limit holds for the second attempt anew, and ends it.
    ended = outcome(instance, seconds=60)
    assert (ended.outcome, ended.reason, ended.attempts) == ("failed", "timed_out", 2)
    assert Execution.objects.get(pk=first.pk).state == "lost"
