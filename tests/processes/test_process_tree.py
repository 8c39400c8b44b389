"""Nothing of what a task has started outlives its worker, however that ends."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from scheduling.db import Connection
from scheduling.models import TaskInstance
from scheduling.services import cancel_instances, run_task_now
from tests.factories import make_task
from tests.handlers.test_process_tree import command
from tests.processes.conftest import Start
from tests.support.waiting import wait_until
from workers.models import Execution, LogChunk

pytestmark = [pytest.mark.processes]

#: The worker is given less time than this task would take, and this task takes no notice.
WAYS = ("cancel", "time_out", "drain", "kill")


def living(directory: Path) -> list[psutil.Process]:
    """Every process of the task, its worker's guard excepted."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(directory) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.mark.parametrize("way", WAYS)
def test_a_tree_that_hides_and_ignores_requests_is_gone(
    conn: Connection, start: Start, tmp_path: Path, way: str
) -> None:
    directory = tmp_path / "task"
    directory.mkdir()
    task = make_task(
        params={"command": command(directory), "cwd": str(directory)},
        kill_grace_seconds=0,
        timeout_seconds=4 if way == "time_out" else None,
    )
    worker = start("runworker", "--handlers", "shell", "--name", "w")
    instance = run_task_now(task)
    # Six shells that stay, and the sleeps that they start.
    wait_until(lambda: len(list(directory.glob("*.pid"))) == 6, what="everything was started")
    assert len(living(directory)) >= 6

    match way:
        case "cancel":
            cancel_instances([instance])
        case "drain":
            worker.process.terminate()
            wait_until(lambda: "draining" in worker.said(), what="the first signal was heard")
            assert worker.end() == 0
            assert living(directory) == []
        case "kill":
            worker.kill()

    wait_until(lambda: living(directory) == [], what="nothing of it is left")
    if way in {"cancel", "time_out"}:
        wait_until(lambda: TaskInstance.objects.get(pk=instance.pk).outcome is not None, what="the instance has ended")


def test_an_execution_is_not_closed_before_its_last_process_is_gone(
    conn: Connection, start: Start, tmp_path: Path
) -> None:
    directory = tmp_path / "task"
    directory.mkdir()
    worker = start("runworker", "--handlers", "shell", "--name", "w")
    wait_until(lambda: "started" in worker.said(), what="the worker has started")
    # The command obeys at once, its child takes its time, and its end is seen in the log.
    child = "trap 'sleep 0.7; echo child is gone; exit' TERM; echo child; while :; do sleep 0.02; done"
    command = f'sh -c "{child}" & echo begun; wait'
    instance = run_task_now(make_task(params={"command": command, "cwd": str(directory)}, kill_grace_seconds=20))
    log = LogChunk.objects.filter(execution__instance_id=instance.pk)
    wait_until(lambda: log.filter(body__contains="child").exists(), what="it runs")
    cancel_instances([instance])

    wait_until(lambda: not Execution.objects.filter(state="running").exists(), what="the execution was closed")
    assert living(directory) == []
    assert log.filter(body__contains="child is gone").exists()


def test_the_limits_of_a_task_hold_on_its_worker(conn: Connection, start: Start) -> None:
    modules = {"ROTA_TASK_MODULES": "tests.processes.functions"}
    storm = "for i in $(seq 20); do sleep 600 & done; wait"
    tasks = {
        "process_limit": make_task(params={"command": storm}, max_processes=5),
        "memory_limit": make_task(
            handler="python", params={"function": "tests.eat_memory"}, max_memory_mb=200, max_attempts=1
        ),
        "cpu_limit": make_task(params={"command": "while :; do :; done"}, max_cpu_seconds=1),
        "limits_unsupported": make_task(handler="python", params={"function": "tests.nothing"}, max_cpu_seconds=1),
    }
    instances = {reason: run_task_now(task) for reason, task in tasks.items()}
    worker = start("runworker", "--handlers", "shell,python", "--name", "w", **modules)

    for reason, instance in instances.items():
        found = TaskInstance.objects.filter(pk=instance.pk, outcome__isnull=False)
        ended = wait_until(found.first, what=f"{reason} has ended")
        assert ended is not None
        assert (ended.outcome, ended.reason) == ("failed", reason), ended.message
    # The worker has survived all of it.
    after = run_task_now(make_task())
    wait_until(lambda: TaskInstance.objects.get(pk=after.pk).outcome == "succeeded", what="it goes on")
    assert worker.process.poll() is None
