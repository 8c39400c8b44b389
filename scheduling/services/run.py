"""Run a task now, or at a moment, outside its own trigger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import DEFAULT_NAMESPACE, User
from accounts.permissions import require
from accounts.roles import Action
from scheduling.db import callers_connection, own_connection
from scheduling.domain.param_secrets import unmasked
from scheduling.domain.states import EntryState, Origin
from scheduling.engine.enqueue import Enqueued, enqueue
from scheduling.engine.partitions import are_known, create_partitions, days_of
from scheduling.exceptions import UnknownTask
from scheduling.models import RunKey, Task, TaskInstance
from scheduling.notify import announce_on_commit
from scheduling.services.admission import admit_on_commit
from scheduling.services.validation import params_problems

LONGEST_KEY = 200

#: How far from now a run can be planned.
FARTHEST_BACK, FARTHEST_AHEAD = timedelta(days=366), timedelta(days=3660)


def run_task(
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    at: datetime | None = None,
    key: str | None = None,
    namespace: str = DEFAULT_NAMESPACE,
) -> TaskInstance:
    """Queue one run of the task ``name``, from your own code, within your own transaction.

    A rollback leaves nothing behind; a commit makes the run visible to workers together with everything else that
    you wrote. ``params`` are laid over the task's own, key by key. ``at`` (aware) plans the run for that moment.
    ``key`` makes the call idempotent: the same key for the same task returns the first instance again. Raises
    UnknownTask, or ValidationError when the params do not fit.
    """
    task = Task.objects.filter(namespace__name=namespace, name=name).first()
    if task is None:
        raise UnknownTask(name, namespace)
    return run_task_now(task, params=params, at=at, key=key, origin=Origin.CODE)


def run_task_now(
    task: Task,
    *,
    params: Mapping[str, Any] | None = None,
    at: datetime | None = None,
    key: str | None = None,
    origin: Origin = Origin.MANUAL,
    actor: User | None = None,
    rerun_of: int | None = None,
    whole_params: bool = False,
) -> TaskInstance:
    """Queue one run of ``task``; the same as `run_task`, for interfaces that have the task and a user.

    With ``whole_params`` the params are all of them: what they do not name is not taken from the task. A mask in them
    stands for the secret that the task has in its place.

    The run obeys the task's limits: under the overlap rule `skip` it may end as skipped at once. Raises
    PermissionDenied and ValidationError.
    """
    require(actor, Action.OPERATE, task.namespace_id)
    merged = None if params is None else params_of_run(task, params, whole=whole_params)
    if merged is not None:
        _check_params(task, merged)
    if at is not None:
        _check_moment(at)
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise ValidationError({"key": _("A key has between 1 and %(n)d characters.") % {"n": LONGEST_KEY}})
    _make_room(at or timezone.now())
    with transaction.atomic():
        if key is not None and (first := _first_of(task, key)) is not None:
            return first
        enqueued = enqueue(
            callers_connection(),
            task_id=task.pk,
            origin=origin,
            scheduled_for=at,
            params=merged,
            triggered_by=actor.pk if actor is not None else None,
            rerun_of=rerun_of,
        )
        if enqueued is None:
            raise UnknownTask(task.name, task.namespace.name)
        if key is not None:
            RunKey.objects.filter(task=task, key=key).update(
                instance_id=enqueued.instance_id, scheduled_for=enqueued.scheduled_for
            )
        _follow_up(enqueued)
    return _instance(enqueued.instance_id, enqueued.scheduled_for)


def params_of_run(task: Task, params: Mapping[str, Any], *, whole: bool = False) -> dict[str, Any]:
    """Return all params of a run that is asked for with ``params``; a mask among them means the task's secret."""
    merged: dict[str, Any] = unmasked({**({} if whole else task.params), **params}, task.params)
    return merged


def _check_moment(at: datetime) -> None:
    if at.utcoffset() is None:
        raise ValidationError({"at": _("This moment needs a time zone.")})
    now = timezone.now()
    # Each day of the history has a partition of its own; a typing error shall not make one in the year 9999.
    if not now - FARTHEST_BACK <= at <= now + FARTHEST_AHEAD:
        raise ValidationError({"at": _("Choose a moment at most one year back and ten years ahead.")})


def _check_params(task: Task, params: Mapping[str, Any]) -> None:
    problems = params_problems(task.handler, params, namespace_id=task.namespace_id)
    if problems:
        raise ValidationError({"params": [str(problem) for problem in problems]})


def _make_room(at: datetime) -> None:
    days = days_of([at])
    if are_known(days):
        return
    # On a connection of its own, so that the partition stands whatever becomes of the caller's transaction.
    conn = own_connection("partitions")
    try:
        create_partitions(conn, days)
    finally:
        conn.close()


def _first_of(task: Task, key: str) -> TaskInstance | None:
    """Take the key, or return what it made before; waits for another transaction that is taking it."""
    with callers_connection().cursor() as cursor:
        cursor.execute(
            "INSERT INTO rota_run_key (task_id, key, instance_id, scheduled_for) VALUES (%s, %s, 0, now()) "
            "ON CONFLICT (task_id, key) DO NOTHING",
            [task.pk, key],
        )
        if cursor.rowcount == 1:
            return None
    taken = RunKey.objects.get(task=task, key=key)
    return _instance(taken.instance_id, taken.scheduled_for)


def _instance(instance_id: int, scheduled_for: datetime) -> TaskInstance:
    return TaskInstance.objects.with_entry().get(pk=instance_id, scheduled_for=scheduled_for)


def _follow_up(enqueued: Enqueued) -> None:
    if enqueued.state is EntryState.READY:
        announce_on_commit(queues=[enqueued.queue])
    elif enqueued.state is EntryState.PLANNED:
        announce_on_commit(entries=True)
    elif enqueued.gate is not None:
        admit_on_commit([enqueued.gate])
