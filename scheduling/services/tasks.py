"""What people do to definitions: save, pause, resume, duplicate, delete."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import require
from accounts.roles import Action
from scheduling.db import callers_connection
from scheduling.domain.errors import gettext_noop as _n
from scheduling.domain.policies import TriggerKind
from scheduling.engine.cancel import cancel
from scheduling.models import Calendar, QueueEntry, Task
from scheduling.notify import announce_on_commit
from scheduling.services.row_locks import held, locked
from scheduling.services.validation import validate_task


@transaction.atomic
def save_task(task: Task, *, calendars: Iterable[Calendar] | None = None, actor: User | None = None) -> Task:
    """Check and store a new or changed task; schedulers follow as soon as the transaction commits.

    ``calendars`` replace those that it uses; None leaves them. A stored task stays in its namespace. ``actor`` None
    is the system itself. Raises ValidationError by field, or PermissionDenied; then nothing is stored.
    """
    require(actor, Action.ADMINISTER, task.namespace)
    if task.pk is not None:
        # Whoever may do nothing in its namespace learns nothing else about it.
        before = locked(task, for_deletion=False)
        require(actor, Action.ADMINISTER, before.namespace_id)
        if before.namespace_id != task.namespace_id:
            # Its runs and versions would be shown to the readers of another namespace.
            raise ValidationError(
                {"namespace": [_("A task and its history stay in their namespace; make another task in the new one.")]}
            )
    if task.trigger == TriggerKind.ONCE and task.run_at is None and task.delay_seconds is not None:
        task.run_at = timezone.now() + timedelta(seconds=task.delay_seconds)
    chosen = None if calendars is None else list(calendars)
    held("calendars", chosen or ())
    held("pool", [task.pool] if task.pool is not None else ())
    validate_task(task, calendars=chosen)
    task.save()
    if chosen is not None:
        task.calendars.set(chosen)
    task.refresh_from_db(fields=["version", "updated_at"])
    return task


def pause_task(task: Task, *, actor: User | None = None) -> None:
    """Stop the task's trigger; what is queued or running goes on. Pausing twice changes nothing."""
    require(actor, Action.OPERATE, task.namespace_id)
    Task.objects.filter(pk=task.pk, enabled=True).update(enabled=False)
    task.enabled = False


def resume_task(task: Task, *, actor: User | None = None) -> None:
    """Let the trigger go on; ticks missed meanwhile follow the task's catch-up policy."""
    require(actor, Action.OPERATE, task.namespace_id)
    Task.objects.filter(pk=task.pk, enabled=False).update(enabled=True)
    task.enabled = True


@transaction.atomic
def duplicate_task(task: Task, *, actor: User | None = None) -> Task:
    """Store a paused copy under a free name, and return it; no set of definitions owns it.

    Raises ValidationError when the task was deleted, and PermissionDenied.
    """
    require(actor, Action.ADMINISTER, task.namespace_id)
    original = locked(task, for_deletion=False)
    calendars = list(original.calendars.all())
    held("calendars", calendars)
    copy = Task.objects.get(pk=original.pk)
    copy.pk = None
    copy._state.adding = True
    copy.enabled, copy.owner = False, ""
    for name in _names_of_copies(original):
        copy.name = name
        try:
            with transaction.atomic():
                copy.save(force_insert=True)
        except IntegrityError:
            # Somebody took the name meanwhile, unless it is still free: then the name is not what is wrong.
            if not Task.objects.filter(namespace=original.namespace_id, name=name).exists():
                raise
        else:
            break
    copy.calendars.set(calendars)
    copy.refresh_from_db()
    return copy


def _names_of_copies(task: Task) -> Iterator[str]:
    """Yield the names that a copy may have, those left out that were taken when this was asked for."""
    taken = set(Task.objects.filter(namespace=task.namespace_id).values_list("name", flat=True))
    for number in itertools.count(1):
        named = {"name": task.name[:180], "number": number}
        name = _("%(name)s (copy)") % named if number == 1 else _("%(name)s (copy %(number)d)") % named
        if name not in taken:
            yield name


@transaction.atomic
def delete_task(task: Task, *, actor: User | None = None) -> None:
    """Delete a definition. What waits is cancelled, what runs is asked to stop, and the history stays."""
    require(actor, Action.ADMINISTER, task.namespace_id)
    name = task.name
    Task.objects.select_for_update().get(pk=task.pk)
    ids = list(QueueEntry.objects.filter(task=task.pk).values_list("instance_id", flat=True))
    cancel(callers_connection(), ids, message=_n("The task “%(name)s” was deleted.") % {"name": name})
    task.delete()
    announce_on_commit(control=True)
