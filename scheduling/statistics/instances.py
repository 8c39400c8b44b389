"""Single instances that a dashboard shows: the latest failures, and how the last runs of a task ended."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from scheduling.models import TaskInstance
from scheduling.statistics.scope import Scope


def latest_failures(scope: Scope, *, now: datetime, limit: int = 10, within_days: int = 30) -> list[TaskInstance]:
    """Return the instances of ``scope`` that failed last, newest failure first, with their namespace. One query.

    ``within_days`` bounds how far back it looks; the index of failures answers it.
    """
    recent = Q(failed_at__gt=now - timedelta(days=within_days))
    found = scope.narrow(TaskInstance.objects.filter(recent)).select_related("namespace").defer("params")
    return list(found.order_by("-failed_at")[:limit])


def recent_ends(task_id: int, *, limit: int = 50) -> list[TaskInstance]:
    """Return the ended instances of a task with the latest moments, oldest first: a strip of outcomes. One query.

    The caller has checked that the reader may see the task.
    """
    ended = TaskInstance.objects.filter(task=task_id, outcome__isnull=False).defer("params", "message")
    return list(ended.order_by("-scheduled_for", "-id")[:limit])[::-1]
