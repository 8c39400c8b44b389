"""Rows of history, made by hand where a worker would take too long."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from scheduling.domain.states import EntryState
from scheduling.models import QueueEntry, Task, TaskInstance
from workers.models import Execution, LogChunk, Node

_numbers = itertools.count(1)


def make_instance(task: Task, *, state: str = "succeeded", age: timedelta = timedelta(minutes=5)) -> TaskInstance:
    """Return an instance of ``task`` in ``state``, scheduled so long ago."""
    at = timezone.now() - age
    live = {"ready": EntryState.READY, "waiting": EntryState.WAITING}.get(state)
    ended: datetime | None = None if live is not None else at + timedelta(seconds=3)
    made = TaskInstance.objects.create(
        scheduled_for=at,
        namespace_id=task.namespace_id,
        task_id=task.pk,
        task_version=task.version,
        fire_key=f"test:{next(_numbers)}",
        outcome=None if live is not None else state,
        attempts=1,
        created_at=at,
        started_at=at,
        finished_at=ended,
        failed_at=ended if state == "failed" else None,
    )
    if live is not None:
        QueueEntry.objects.create(
            instance=made,
            scheduled_for=at,
            namespace_id=task.namespace_id,
            task_id=task.pk,
            task_version=task.version,
            queue=task.queue,
            handler=task.handler,
            state=live.value,
            sort_key=at,
            run_at=at,
            gate=task.pk,
        )
    return made


def make_execution(instance: TaskInstance, **over: Any) -> Execution:
    """Return one attempt at ``instance`` that has ended as the instance did."""
    number = next(_numbers)
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('rota_execution_id_seq')")
        row = cursor.fetchone()
    node = Node.objects.create(name=f"host-{number}", incarnation=10_000 + number)
    fields: dict[str, Any] = {
        "id": row[0],
        "scheduled_for": instance.scheduled_for,
        "namespace_id": instance.namespace_id,
        "instance_id": instance.pk,
        "task_id": instance.task_id,
        "attempt": 1,
        "node": node,
        "state": instance.outcome or "running",
        "started_at": instance.scheduled_for,
        "finished_at": instance.finished_at,
    }
    return Execution.objects.create(**{**fields, **over})


def make_log(execution: Execution, *chunks: tuple[str, str]) -> None:
    """Store chunks of (stream, text) in order."""
    LogChunk.objects.bulk_create(
        LogChunk(
            execution_id=execution.pk,
            scheduled_for=execution.scheduled_for,
            namespace_id=execution.namespace_id,
            seq=seq,
            stream=stream,
            at=execution.started_at,
            body=body,
        )
        for seq, (stream, body) in enumerate(chunks)
    )
