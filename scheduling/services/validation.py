"""Is this task's definition sound? One answer for the admin, the API and the commands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from scheduling.domain.errors import InvalidField
from scheduling.domain.handlers import catalogue
from scheduling.domain.param_secrets import mask_places
from scheduling.domain.policies import TriggerKind
from scheduling.domain.task_trigger import TRIGGER_FIELDS, spec_of_task
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.domain.triggers.registry import TriggerSpec, build_trigger
from scheduling.models import Calendar, Task
from scheduling.services.blackouts import blacks_out_everything, read_calendar
from scheduling.services.field_errors import field_sentences
from scheduling.services.policies import policy_problems
from scheduling.services.problems import Problem

#: The model's name of each field of a trigger's specification, where the two differ.
_FIELD_OF = {"kind": "trigger", "anchor": "anchor_at", "at": "run_at"}


def trigger_of(task: Task) -> Trigger:
    """Return the trigger that the task's fields describe; raises InvalidField with the model's field name."""
    try:
        return build_trigger(_spec_of(task))
    except InvalidField as error:
        raise InvalidField(_FIELD_OF.get(error.field, error.field), error.message, error.params) from error


def _spec_of(task: Task) -> TriggerSpec:
    fields = {name: getattr(task, name) for name in TRIGGER_FIELDS}
    return spec_of_task(task_id=task.pk, created_at=task.created_at if task.pk else None, **fields)


def find_problems(task: Task, *, calendars: Iterable[Calendar] | None = None) -> list[Problem]:
    """Return everything that is wrong with ``task`` as it stands, saved or not; an empty list when it is sound.

    ``calendars`` are those that it shall use; None: those that it uses.
    """
    problems: list[Problem] = []
    try:
        task.full_clean(exclude=["version", "created_at", "updated_at"])
    except ValidationError as error:
        for field, message in field_sentences(Task, error):
            # The one rule that spans fields is that a name is unique in its namespace.
            problems.append(Problem(field="name" if field == NON_FIELD_ERRORS else field, message=message))
    trigger_problems = _trigger_problems(task)
    if not trigger_problems:
        problems += _calendar_problems(task, calendars)
    problems += trigger_problems + params_problems(task.handler, task.params, namespace_id=task.namespace_id)
    # What a field by itself cannot hold is said once.
    wrong = {problem.field for problem in problems}
    return problems + [problem for problem in policy_problems(task) if problem.field not in wrong]


def validate_task(task: Task, *, calendars: Iterable[Calendar] | None = None) -> None:
    """Raise django's ValidationError, by field, when ``task`` is not sound."""
    by_field: dict[str, list[str]] = {}
    for problem in find_problems(task, calendars=calendars):
        by_field.setdefault(problem.field, []).append(str(problem))
    if by_field:
        raise ValidationError(by_field)


def params_problems(handler: str, params: object, *, namespace_id: int | None) -> list[Problem]:
    """Return what is wrong with ``params`` for ``handler``, an unknown handler included.

    What they name, such as a connection, has to be there in the namespace; None: of that nothing is asked.
    """
    if not handler:
        return []
    spec = catalogue.get(handler)
    if spec is None:
        names = catalogue.names()
        near = difflib.get_close_matches(handler, names, n=1)
        message = _("There is no handler “%(name)s”.") % {"name": handler}
        hint = (
            _("Did you mean “%(near)s”?") % {"near": near[0]}
            if near
            else _("Installed: %(names)s.") % {"names": ", ".join(names)}
        )
        return [Problem(field="handler", message=f"{message} {hint}")]
    if not isinstance(params, Mapping):
        return [Problem(field="params", message=_("Params are a JSON object."))]
    if places := mask_places(params):
        message = _("This mask stands for a secret, and none is stored here; write the secret.")
        return [Problem(field="params", path=path, message=message) for path in places]
    errors = spec.check_params(params)
    if not errors and namespace_id is not None:
        errors = spec.check_names(params, namespace_id)
    return [Problem(field="params", path=error.path, message=error.message) for error in errors]


def _trigger_problems(task: Task) -> list[Problem]:
    try:
        trigger = trigger_of(task)
    except InvalidField as error:
        return [Problem(field=error.field, message=_(error.message) % error.params)]
    return _barren_problems(task, trigger) if _schedule_changed(task) else []


def _barren_problems(task: Task, trigger: Trigger) -> list[Problem]:
    """Return what keeps a schedule from ever firing; that its end has passed is no problem, it has finished."""
    if task.trigger == TriggerKind.ONCE:
        # A few seconds of patience: "now" in somebody's form is past by the time it arrives.
        if trigger.next_after(timezone.now() - timedelta(seconds=60)) is not None:
            return []
        return [Problem(field="run_at", message=_("This moment has passed; choose one that lies ahead."))]
    if task.trigger not in (TriggerKind.CRON, TriggerKind.INTERVAL):
        return []
    at_any_time = replace(_spec_of(task), starts_at=None, ends_at=None)
    if task.trigger == TriggerKind.CRON and build_trigger(at_any_time).next_after(timezone.now()) is None:
        message = _("“%(expression)s” never fires again: all its years have passed.")
        return [Problem(field="cron_expression", message=message % {"expression": task.cron_expression})]
    if task.starts_at is None or task.ends_at is None:
        return []
    # An interval without an anchor counts from when it is saved.
    is_known = task.trigger == TriggerKind.CRON or task.anchor_at is not None
    if is_known and trigger.next_after(task.starts_at - INSTANT) is None:
        return [Problem(field="ends_at", message=_("There is no tick between the start and this end."))]
    return []


def _calendar_problems(task: Task, calendars: Iterable[Calendar] | None) -> list[Problem]:
    if calendars is None:
        calendars = task.calendars.prefetch_related("rules") if task.pk is not None else ()
    used = list(calendars)
    strange = [calendar.name for calendar in used if calendar.namespace_id != task.namespace_id]
    if strange:
        message = _("“%(name)s” is a calendar of another namespace.") % {"name": strange[0]}
        return [Problem(field="calendars", message=message)]
    read = [read_calendar(calendar) for calendar in used]
    blackout = blacks_out_everything(trigger_of(task), task.timezone, read, now=timezone.now())
    if blackout is None:
        return []
    message = _("No tick within a year is left; “%(calendar)s” blacks out the next one.")
    return [Problem(field="calendars", message=message % {"calendar": blackout.calendar})]


def _schedule_changed(task: Task) -> bool:
    if task._state.adding:
        return True
    stored: Mapping[str, Any] | None = Task.objects.filter(pk=task.pk).values(*TRIGGER_FIELDS).first()
    return stored is None or any(stored[name] != getattr(task, name) for name in TRIGGER_FIELDS)
