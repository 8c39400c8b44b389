"""Upcoming fires of all tasks: what the next hour brings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduling.domain.errors import InvalidField
from scheduling.domain.triggers.base import Trigger
from scheduling.models import Task
from scheduling.services.validation import trigger_of
from scheduling.statistics.scope import Scope


@dataclass(frozen=True, order=True, slots=True)
class UpcomingFire:
    """One tick to come, by its trigger; a calendar may still skip it."""

    at: datetime
    task_id: int
    name: str
    namespace: str


def upcoming_fires(
    scope: Scope, *, now: datetime, within: timedelta = timedelta(hours=1), limit: int = 200
) -> list[UpcomingFire]:
    """Return the next ``limit`` ticks of the enabled tasks of ``scope`` that come ``within`` so long, in order.

    Two queries at most. The first ``limit`` ticks belong to the ``limit`` tasks whose next run comes first.
    Overdue ones come first of all: while nobody fires and more than ``limit`` are overdue, the answer is theirs alone.
    """
    until = now + within
    tasks = Task.objects.enabled().filter(clock__next_run_at__lte=until)
    if scope.namespace_ids is not None:
        tasks = tasks.filter(namespace_id__in=scope.namespace_ids)
    if scope.task_id is not None:
        tasks = tasks.filter(pk=scope.task_id)
    soonest = tasks.select_related("namespace", "clock").order_by("clock__next_run_at", "pk")[:limit]
    found: list[UpcomingFire] = []
    for task in soonest:
        first = task.clock.next_run_at
        assert first is not None  # noqa: S101 - it was compared with a moment
        ticks = _ticks(task, first, now, until, limit)
        found += [UpcomingFire(at, task.pk, task.name, task.namespace.name) for at in ticks]
    found.sort()
    return found[:limit]


def _ticks(task: Task, first: datetime, now: datetime, until: datetime, limit: int) -> list[datetime]:
    # What is overdue, because nobody fires, is not to come.
    ticks = [first] if first > now else []
    try:
        trigger: Trigger = trigger_of(task)
        while len(ticks) < limit:
            following = trigger.next_after(ticks[-1] if ticks else now)
            if following is None or following > until:
                break
            ticks.append(following)
    except InvalidField:
        # Its schedule cannot be read; the clock shows what was planned before.
        pass
    return ticks
