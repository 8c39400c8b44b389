"""Somebody's transaction, left open for minutes, holds up the one row that it has locked and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduling.db import Connection, own_connection
from scheduling.models import QueueEntry, TaskInstance
from scheduling.services import run_task_now
from tests.factories import make_task
from tests.processes.conftest import Start
from tests.support.processes import Started
from tests.support.waiting import wait_until
from workers.models import Execution

pytestmark = [pytest.mark.processes]


@pytest.fixture
def forgotten(conn: Connection, start: Start) -> Iterator[Connection]:
    """A session outside of Rota; it is closed before the processes are ended."""
    session = own_connection("forgotten session")
    session.autocommit = False
    yield session
    session.close()


def worker(start: Start) -> Started:
    started = start("runworker", "--handlers", "shell", "--name", "w", "--concurrency", "4")
    wait_until(lambda: "started" in started.said(), what="the worker has started")
    return started


def outcomes(instances: list[TaskInstance]) -> list[str | None]:
    found = TaskInstance.objects.in_bulk([instance.pk for instance in instances])
    return [found[instance.pk].outcome for instance in instances]


def test_a_snapshot_that_is_held_hinders_nobody(start: Start, forgotten: Connection) -> None:
    forgotten.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    forgotten.execute("SELECT count(*) FROM rota_queue_entry")
    start("runscheduler")
    worker(start)
    ticking = make_task(trigger="interval", every_seconds=1, overlap="allow")
    instances = [run_task_now(make_task()) for _ in range(20)]
    wait_until(lambda: set(outcomes(instances)) == {"succeeded"}, what="everything was claimed and completed")
    wait_until(lambda: TaskInstance.objects.filter(task=ticking, outcome="succeeded").count() >= 2, what="ticks fire")


def test_locked_rows_wait_and_the_results_of_others_are_written(
    start: Start, forgotten: Connection, tmp_path: Path
) -> None:
    started = worker(start)
    gate = tmp_path / "gate"
    task = make_task(params={"command": f"while [ ! -e {gate} ]; do sleep 0.1; done"}, overlap="allow")
    instances = [run_task_now(task) for _ in range(4)]
    wait_until(lambda: Execution.objects.filter(state="running").exists(), what="one runs")
    entry = QueueEntry.objects.filter(state=1).order_by("instance_id").first()
    assert entry is not None
    forgotten.execute("SELECT 1 FROM rota_queue_entry WHERE instance_id = %s FOR UPDATE", [entry.instance_id])
    instances += [run_task_now(task) for _ in range(12)]
    # One entry, and of another instance the row of its history.
    forgotten.execute("SELECT 1 FROM rota_instance WHERE id = %s FOR UPDATE", [instances[-1].pk])
    gate.touch()
    locked = [instance for instance in instances if instance.pk in {entry.instance_id, instances[-1].pk}]
    others = [instance for instance in instances if instance not in locked]

    wait_until(lambda: set(outcomes(others)) == {"succeeded"}, what="the others were claimed and completed")

    def both_are_said_to_wait() -> bool:
        # Others beside them may have been put aside for a moment, too.
        leases = Execution.objects.filter(instance__in=[each.pk for each in locked]).values_list("pk", flat=True)
        return len(leases) == 2 and all(f"the report of execution {each} waits" in started.said() for each in leases)

    wait_until(both_are_said_to_wait, what="the worker says what waits")
    assert outcomes(locked) == [None, None]

    forgotten.rollback()

    wait_until(lambda: set(outcomes(instances)) == {"succeeded"}, what="the held results are written")
    assert "came too late" not in started.said()
