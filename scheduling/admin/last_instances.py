"""The latest instance of each of a page's tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from scheduling.models import Task, TaskInstance

#: A task that has not run for longer shows none, so that no more partitions than these are looked into.
LOOK_BACK = timedelta(days=30)

_KEY = "_rota_last_instance"


def prepare_last_instances(tasks: Sequence[Task]) -> None:
    """Find the latest instance of each task that is not in the future, with two queries for all of them."""
    now = timezone.now()
    latest = TaskInstance.objects.filter(
        task=OuterRef("pk"), scheduled_for__lte=now, scheduled_for__gt=now - LOOK_BACK
    ).order_by("-scheduled_for")
    # A scan of the firing guard's index for each task; it stops at the first row.
    ids = (
        Task.objects.filter(pk__in=[task.pk for task in tasks])
        .order_by()
        .annotate(last_id=Subquery(latest.values("id")[:1]))
        .values_list("last_id", flat=True)
    )
    found = TaskInstance.objects.with_entry().filter(
        id__in=[each for each in ids if each is not None], scheduled_for__gt=now - LOOK_BACK
    )
    by_task = {instance.task_id: instance for instance in found}
    for task in tasks:
        task.__dict__[_KEY] = by_task.get(task.pk)


def last_instance(task: Task) -> TaskInstance | None:
    """Return what `prepare_last_instances` found."""
    found: TaskInstance | None = task.__dict__.get(_KEY)
    return found
