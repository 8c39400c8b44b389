"""Lists of the history find the same rows whether the tasks behind them are few or many."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from accounts.roles import Role
from scheduling import narrowing
from scheduling.domain.states import InstanceState
from scheduling.models import Task, TaskInstance
from scheduling.narrowing import choices_within
from tests.factories import make_namespace, make_user
from tests.web.api.client import client_of
from tests.web.api.work import end, ended, free_task, running
from workers.domain.states import ExecutionState
from workers.models import Execution


@pytest.mark.parametrize("most", [500, 0], ids=["few", "many"])
def test_the_instances_of_a_queue_are_found_however_many_tasks_use_it(
    db: None, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(narrowing, "FEW_TASKS", most)
    slow, fast = ended(free_task(queue="default")), ended(free_task(queue="default"))
    Task.objects.filter(pk=slow.task_id).update(queue="slow")
    again = ended(Task.objects.get(pk=fast.task_id))
    api = client_of(make_user(superuser=True))
    # By the version that they were fired with.
    found = [each["id"] for each in api.get("instances/?queue=default&handler=shell").ok()["results"]]
    assert found == [again.pk, fast.pk, slow.pk]
    assert api.get("instances/?queue=slow").ok()["results"] == []


def test_queues_are_named_once_each_and_only_those_of_the_readers_namespaces(db: None) -> None:
    for queue in ("b", "a", "b", "c"):
        free_task(queue=queue)
    free_task(queue="secret", namespace="other")
    assert choices_within(None, most=10).queues == ["a", "b", "c", "secret"]
    assert choices_within([make_namespace().pk], most=10).queues == ["a", "b", "c"]
    assert choices_within(None, most=2).queues == ["a", "b"]
    assert choices_within([], most=10).queues == []


def test_the_executions_of_a_task_and_those_that_run_are_found(db: None) -> None:
    task = free_task()
    ended(task)
    ended(free_task())
    lost = running(task)
    end(lost, ExecutionState.FAILED)
    now = running(task)
    assert list(Execution.objects.of_task(task.pk).order_by("-id").values_list("pk", flat=True))[:2] == [
        now.lease_id,
        lost.lease_id,
    ]
    assert Execution.objects.of_task(task.pk).count() == 3
    assert [each.pk for each in Execution.objects.in_state(ExecutionState.RUNNING)] == [now.lease_id]
    assert [each.pk for each in Execution.objects.in_state(ExecutionState.FAILED)] == [lost.lease_id]
    assert [each.pk for each in TaskInstance.objects.in_state(InstanceState.RUNNING)] == [now.instance_id]


def plan_of(rows: Any) -> str:
    """The plan where reading a whole table is out of the question, as it is in a long history."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    return str(rows.explain())


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (lambda: TaskInstance.objects.in_state(InstanceState.CANCELLED).order_by("-id"), "rare_outcome_id"),
        (lambda: Execution.objects.in_state(ExecutionState.LOST).order_by("-id"), "rare_state_id"),
        (lambda: TaskInstance.objects.filter(origin="manual").order_by("-id"), "origin_id"),
    ],
    ids=["outcome", "state", "origin"],
)
def test_what_is_rare_is_read_in_the_order_of_its_index(db: None, rows: Any, index: str) -> None:
    ended()
    plan = plan_of(rows()[:50])
    assert f"_{index}_idx" in plan
    assert "Sort  " not in plan


def test_a_viewer_of_nothing_sees_no_queue(db: None) -> None:
    free_task(queue="a")
    api = client_of(make_user(other=Role.VIEWER))
    assert api.get("instances/?queue=a").ok()["results"] == []
