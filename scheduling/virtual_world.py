"""VirtualWorld: tasks, scheduler and worker on a clock that a test sets."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from accounts.models import DEFAULT_NAMESPACE, Namespace
from scheduling.models import Task, TaskInstance
from scheduling.runtime.scratch_schema import scratch_schema
from scheduling.runtime.virtual_scheduler import VirtualScheduler
from scheduling.services import save_task
from workers.runtime.model_worker import ModelWorker, Work


def _moment(moment: datetime | str) -> datetime:
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    if read.utcoffset() is None:
        raise ValueError(f"“{moment}” needs an offset, for example +01:00")
    return read


class VirtualWorld:
    """Tasks, the real scheduler and a model worker on a clock of their own, in tables that are gone afterwards.

    Moments are aware datetimes or ISO 8601 texts with an offset. Models and services can be used as usual: what they
    read and write are the tables of this world, and ``django.utils.timezone.now`` tells its time.
    """

    def __init__(self, start: datetime | str, stack: ExitStack) -> None:
        self._works: dict[str, Work] = {}
        scratch = stack.enter_context(scratch_schema(_moment(start), apps=["workers"]))
        self._scheduler = VirtualScheduler(scratch, ModelWorker(self._work_of))
        stack.enter_context(patch("django.utils.timezone.now", lambda: self._scheduler.now))
        self._namespace = Namespace.objects.get_or_create(name=DEFAULT_NAMESPACE)[0]

    @property
    def now(self) -> datetime:
        """The moment that the clock shows, in UTC."""
        return self._scheduler.now

    def task(self, name: str, *, lasts: timedelta = timedelta(seconds=1), succeeds: bool = True, **fields: Any) -> Task:
        """Store a task; ``fields`` are those of the model.

        Nothing is executed: each attempt lasts ``lasts``, and then succeeds or fails. Raises ValidationError.
        """
        self._works[name] = Work(lasts=lasts, succeeds=succeeds)
        given = {"namespace": self._namespace, "handler": "shell", "params": {"command": "true"}, **fields}
        return save_task(Task(name=name, **given))

    def run_until(self, moment: datetime | str) -> None:
        """Let time pass until ``moment``; what is due at that very moment happens as well."""
        self._scheduler.run_until(_moment(moment))

    def outage_until(self, moment: datetime | str) -> None:
        """Let time pass until ``moment`` while no scheduler is alive."""
        self._scheduler.outage_until(_moment(moment))

    def instances(self, task: Task) -> list[TaskInstance]:
        """Return every instance of ``task``, in the order of the moments that they stand for."""
        return list(TaskInstance.objects.filter(task=task).order_by("scheduled_for", "id"))

    def runs(self, task: Task) -> list[str]:
        """Return the moments that ran, on the wall clock of the task's zone: ``2026-03-29T03:00+02:00``."""
        return [self._shown(one, task) for one in self.instances(task) if one.outcome != "skipped"]

    def skips(self, task: Task) -> list[tuple[str, str]]:
        """Return the moments that did not run, on the wall clock of the task's zone, each with its reason."""
        return [(self._shown(one, task), one.reason) for one in self.instances(task) if one.outcome == "skipped"]

    def _shown(self, instance: TaskInstance, task: Task) -> str:
        local = instance.scheduled_for.astimezone(ZoneInfo(task.timezone))
        return local.isoformat(timespec="seconds" if local.second else "minutes")

    def _work_of(self, name: str) -> Work:
        return self._works.get(name, Work())
