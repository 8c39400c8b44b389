"""Simulation: what given tasks would do between two moments, outages included. Nothing of it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduling.models import TaskInstance
from scheduling.runtime.scratch_schema import scratch_schema
from scheduling.runtime.virtual_scheduler import VirtualScheduler, Worker

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulated:
    """One instance of a simulation. Moments are in UTC; those that did not come before its end are None."""

    namespace: str
    task: str
    timezone: str
    scheduled_for: datetime
    state: str
    reason: str
    message: str
    missed_count: int | None
    missed_since: datetime | None
    #: When a scheduler decided about it.
    fired_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def simulate(
    task_ids: Sequence[int],
    *,
    start: datetime,
    until: datetime,
    worker: Worker,
    apps: Sequence[str] = (),
    outages: Sequence[tuple[datetime, datetime]] = (),
    enable: bool = False,
    most_instances: int = 10_000,
) -> list[Simulated]:
    """Return what the tasks ``task_ids`` would do from ``start`` to ``until``, in the order in which it happens.

    The tasks begin as if they were made at ``start``, with nothing queued. ``worker`` runs the instances; ``apps``
    are the labels of the apps whose tables it uses. During ``outages``, pairs of moments in order, no scheduler is
    alive. ``enable`` has paused tasks fire as well. Raises TooManyInstances, and django.db.ProgrammingError when the
    database's user may not create schemas.
    """
    with scratch_schema(start - _INSTANT, apps=apps) as scratch:
        scratch.copy_tasks(task_ids, enable=enable)
        scheduler = VirtualScheduler(scratch, worker, most_instances=most_instances)
        for begins_at, ends_at in outages:
            # A tick at the very moment at which the outage begins is not fired any more.
            scheduler.run_until(max(begins_at - timedelta(milliseconds=1), scheduler.now))
            scheduler.outage_until(ends_at)
        scheduler.run_until(until)
        return _read()


def _read() -> list[Simulated]:
    found = TaskInstance.objects.with_entry().select_related("task", "namespace").order_by("created_at", "id")
    return [
        Simulated(
            namespace=one.namespace.name,
            task=one.task.name,
            timezone=one.task.timezone,
            scheduled_for=one.scheduled_for,
            state=one.state.value,
            reason=one.reason,
            message=one.message,
            missed_count=one.missed_count,
            missed_since=one.missed_since,
            fired_at=one.created_at,
            started_at=one.started_at,
            finished_at=one.finished_at,
        )
        for one in found
    ]
