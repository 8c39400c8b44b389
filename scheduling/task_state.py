"""How a definition stands: what its switch and its clock say together."""

from __future__ import annotations

from enum import StrEnum

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from scheduling.domain.policies import TriggerKind
from scheduling.models import Task, TaskClock


class TaskState(StrEnum):
    """What becomes of the task's trigger."""

    #: It fires, or can be run (a manual task has no trigger that could be finished).
    ENABLED = "enabled"
    #: Somebody paused it.
    PAUSED = "paused"
    #: Its trigger yields no further tick.
    FINISHED = "finished"
    #: Its schedule could not be planned; `schedule_error` says why.
    ERROR = "error"


TASK_STATE_LABELS = {
    TaskState.ENABLED: _("enabled"),
    TaskState.PAUSED: _("paused"),
    TaskState.FINISHED: _("finished"),
    TaskState.ERROR: _("error"),
}

#: Value and word for people.
TASK_STATE_CHOICES = [(state.value, label) for state, label in TASK_STATE_LABELS.items()]

_FAULTY = Q(enabled=True, clock__dirty=False) & ~Q(clock__error="")
_OVER = Q(enabled=True, clock__error="", clock__dirty=False, clock__awaits_end=False, clock__next_run_at=None) & ~Q(
    trigger=TriggerKind.MANUAL.value
)

#: The same rules as `state_of`, for the database.
TASKS_IN_STATE: dict[TaskState, Q] = {
    TaskState.PAUSED: Q(enabled=False),
    TaskState.ERROR: _FAULTY,
    TaskState.FINISHED: _OVER,
    TaskState.ENABLED: Q(enabled=True) & ~_FAULTY & ~_OVER,
}


def clock_of(task: Task) -> TaskClock | None:
    """Return the task's clock, or None when it was deleted meanwhile."""
    try:
        return task.clock
    except TaskClock.DoesNotExist:
        return None


def state_of(task: Task) -> TaskState:
    """Return how ``task`` stands."""
    if not task.enabled:
        return TaskState.PAUSED
    clock = clock_of(task)
    if clock is None or clock.dirty:
        return TaskState.ENABLED
    if clock.error:
        return TaskState.ERROR
    if clock.next_run_at is None and not clock.awaits_end and task.trigger != TriggerKind.MANUAL:
        return TaskState.FINISHED
    return TaskState.ENABLED
