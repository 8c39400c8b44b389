"""Ready work and its claim, as the engine's tests need them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from scheduling.db import Connection
from scheduling.domain.states import Origin
from scheduling.engine.enqueue import enqueue
from scheduling.models import QueueEntry, Task, TaskInstance
from tests.factories import make_registration, make_task
from workers.domain.states import ExecutionState
from workers.engine.claim import Claimed, claim
from workers.engine.complete import Report
from workers.engine.nodes import Registration


def ready(conn: Connection, count: int = 1, **over: Any) -> Task:
    """A task without limits that has ``count`` ready instances."""
    task = make_task(**{"overlap": "allow", **over})
    for _ in range(count):
        enqueue(conn, task_id=task.pk, origin=Origin.CODE)
    return task


def claimed_by(conn: Connection, node: Registration, *, slots: int = 1, **over: object) -> list[Claimed]:
    """What ``node`` claims."""
    wanted: dict[str, object] = {"queues": ["default"], "handlers": ["shell"], **over}
    return claim(conn, node_id=node.node_id, incarnation=node.incarnation, slots=slots, **wanted)  # type: ignore[arg-type] # a test's shorthand


def one_claim(conn: Connection, **over: Any) -> Claimed:
    """A claimed instance of a new task, on a new node."""
    ready(conn, **over)
    (claimed,) = claimed_by(conn, make_registration(conn))
    return claimed


def report_of(claimed: Claimed, state: ExecutionState = ExecutionState.SUCCEEDED, **over: object) -> Report:
    """A report about ``claimed``."""
    fields: dict[str, object] = {
        "instance_id": claimed.instance_id,
        "lease_id": claimed.lease_id,
        "scheduled_for": claimed.scheduled_for,
        "state": state,
        "reason": "completed" if state is ExecutionState.SUCCEEDED else "exception",
    }
    return Report(**{**fields, **over})  # type: ignore[arg-type] # a test's shorthand


def queue(conn: Connection, task: Task, count: int = 1, **over: Any) -> list[int]:
    """Queue ``count`` instances of ``task``, without admission; return their ids in order."""
    made = [enqueue(conn, task_id=task.pk, origin=Origin.CODE, **over) for _ in range(count)]
    return [each.instance_id for each in made if each is not None]


def gates_of(*tasks: Task) -> set[int]:
    """The gates at which instances of ``tasks`` are counted."""
    entries = QueueEntry.objects.filter(task__in=tasks)
    return {gate for gate in entries.values_list("gate", flat=True) if gate is not None}


def states(*tasks: Task) -> Counter[str]:
    """How many instances of ``tasks`` are in which state."""
    return Counter(instance.state.value for instance in TaskInstance.objects.with_entry().filter(task__in=tasks))


def state_of(instance_id: int) -> str:
    """The state of one instance."""
    return str(TaskInstance.objects.with_entry().get(pk=instance_id).state.value)
