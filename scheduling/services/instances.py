"""What people do to instances: cancel, and run again."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import require
from accounts.roles import Action
from scheduling.db import callers_connection
from scheduling.domain.errors import gettext_noop as _n
from scheduling.domain.states import Origin
from scheduling.engine.cancel import CancelResult, cancel
from scheduling.models import Task, TaskInstance
from scheduling.notify import announce_on_commit
from scheduling.services.admission import admit_on_commit
from scheduling.services.run import run_task_now


def cancel_instances(
    instances: Iterable[TaskInstance], *, actor: User | None = None, comment: str = "", kill: bool = False
) -> CancelResult:
    """Cancel ``instances``: at once what has not started; what runs is told to stop within seconds.

    With ``kill``, what runs gets no grace; that may also follow an ordinary request.

    The answer names which went which way; those in neither list had ended before. Raises PermissionDenied, and
    then changes nothing.
    """
    chosen = list(instances)
    for namespace_id in {instance.namespace_id for instance in chosen}:
        require(actor, Action.OPERATE, namespace_id)
    by = actor.get_username() if actor is not None else _n("the system")
    # Stored, and read by people of other languages.
    message = (_n("Killed by %(name)s.") if kill else _n("Cancelled by %(name)s.")) % {"name": by}
    if comment:
        message = f"{message} {comment}"
    with transaction.atomic():
        result = cancel(callers_connection(), [instance.pk for instance in chosen], message=message, kill=kill)
        if result.requested:
            announce_on_commit(control=True)
        admit_on_commit(result.gates, result.pools)
    return result


def rerun_instance(
    instance: TaskInstance,
    *,
    actor: User | None = None,
    origin: Origin = Origin.RERUN,
    key: str | None = None,
) -> TaskInstance:
    """Make a new instance with the same params that points to ``instance``; final states never change.

    Raises ValidationError when the instance has not ended or its task is gone, and PermissionDenied.
    """
    require(actor, Action.OPERATE, instance.namespace_id)
    if not instance.is_final:
        raise ValidationError(_("Instance %(id)s has not ended yet; cancel it first.") % {"id": instance.pk})
    task = Task.objects.filter(pk=instance.task_id).first()
    if task is None:
        raise ValidationError(_("The task of instance %(id)s was deleted.") % {"id": instance.pk})
    return run_task_now(task, params=instance.params, origin=origin, actor=actor, rerun_of=instance.pk, key=key)
