"""What people's interfaces read: nouns, each limited to what the reader may see."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from accounts.permissions import Somebody
from scheduling.domain.triggers.registry import next_fires
from scheduling.models import Task
from scheduling.models.task import TaskQuerySet
from scheduling.services.validation import trigger_of


def visible_tasks(user: Somebody) -> TaskQuerySet:
    """The tasks that ``user`` may see, with their namespace and clock."""
    return Task.objects.visible_to(user).select_related("namespace", "clock", "pool")


def upcoming_fires(task: Task, *, count: int = 10, after: datetime | None = None) -> list[datetime]:
    """The next ``count`` fire times of ``task``, saved or not, in UTC. Raises InvalidField.

    It answers for the trigger alone: whether the task is paused does not matter.
    """
    return next_fires(trigger_of(task), after or timezone.now(), count)
