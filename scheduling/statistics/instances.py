"""Single instances that a dashboard shows: the latest failures, and how the last runs of a task ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from scheduling.models import Task, TaskInstance, TaskRevision
from scheduling.statistics.scope import Scope


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An instance that failed, and the name of its task, which may be gone."""

    instance: TaskInstance
    task_name: str
    task_exists: bool


def latest_failures(scope: Scope, *, now: datetime, limit: int = 10, within_days: int = 30) -> list[Failure]:
    """Return the instances of ``scope`` that failed last, newest failure first. Two queries.

    ``within_days`` bounds how far back it looks; the index of failures answers it.
    """
    recent = Q(failed_at__gt=now - timedelta(days=within_days))
    failed = scope.narrow(TaskInstance.objects.filter(recent)).select_related("namespace").defer("params")
    found: list[TaskInstance] = list(failed.order_by("-failed_at")[:limit])
    # The newest revision says what the task is called, or was called last.
    newest = TaskRevision.objects.filter(task_id__in={each.task_id for each in found}).order_by("task_id", "-version")
    named = newest.distinct("task_id").annotate(exists=Exists(Task.objects.filter(pk=OuterRef("task_id"))))
    names = {task: (name, exists) for task, name, exists in named.values_list("task_id", "definition__name", "exists")}
    return [
        Failure(instance=each, task_name=name or "", task_exists=exists)
        for each in found
        for name, exists in [names.get(each.task_id, ("", False))]
    ]


def recent_ends(task_id: int, *, limit: int = 50) -> list[TaskInstance]:
    """Return the ended instances of a task with the latest moments, oldest first: a strip of outcomes. One query.

    The caller has checked that the reader may see the task.
    """
    ended = TaskInstance.objects.filter(task=task_id, outcome__isnull=False).defer("params", "message")
    return list(ended.order_by("-scheduled_for", "-id")[:limit])[::-1]
