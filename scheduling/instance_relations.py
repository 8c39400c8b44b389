"""What an instance belongs to, read once however many parts of a page ask: its queue entry and its task.

History rows have no foreign keys, and the task may be gone; so neither is a plain relation.
"""

from __future__ import annotations

from typing import Any

from scheduling.models import QueueEntry, Task, TaskInstance, TaskRevision

_TASK = "_rota_task"


def entry_of(instance: TaskInstance) -> QueueEntry | None:
    """Return the queue entry of a live instance, as of when it was read; None when it has ended."""
    if instance.is_final:
        return None
    try:
        return instance.queue_entry
    except QueueEntry.DoesNotExist:
        return None


def task_of(instance: TaskInstance) -> Task | None:
    """Return the task as it is now, with its namespace and pool; None when it was deleted."""
    if _TASK not in instance.__dict__:
        instance.__dict__[_TASK] = Task.objects.filter(pk=instance.task_id).select_related("namespace", "pool").first()
    found: Task | None = instance.__dict__[_TASK]
    return found


def handler_and_params_of(instance: TaskInstance) -> tuple[str, Any]:
    """Return the handler and the params that the instance runs with; ("", None) when nothing is known of them.

    Its own params, or those of the version of the task that it was fired with.
    """
    task = task_of(instance)
    if task is not None and task.version == instance.task_version:
        handler, params = task.handler, task.params
    else:
        revision = TaskRevision.objects.filter(task_id=instance.task_id, version=instance.task_version).first()
        definition = revision.definition if revision is not None else {}
        handler, params = definition.get("handler", ""), definition.get("params")
    return handler, params if instance.params is None else instance.params
