"""What people do to calendars: save and delete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Namespace, User
from accounts.permissions import require
from accounts.roles import Action
from scheduling.domain.errors import InvalidField
from scheduling.models import Calendar, CalendarRule, Task
from scheduling.services.blackouts import blacks_out_everything, read_calendar
from scheduling.services.problems import Problem
from scheduling.services.row_locks import locked
from scheduling.services.validation import trigger_of

#: A calendar with more rules is a typing error or belongs into several.
MOST_RULES = 2000
#: So many tasks are named in a sentence.
_NAMED = 5


def find_calendar_problems(calendar: Calendar, rules: Sequence[CalendarRule] | None = None) -> list[Problem]:
    """Return everything that is wrong with ``calendar`` as it stands, saved or not; an empty list when it is sound.

    ``rules`` are those that it shall have; None: those it has. A rule's problem has its position in ``path``. A
    calendar that leaves one of the tasks that use it no tick within a year is a problem, too.
    """
    problems: list[Problem] = []
    try:
        calendar.full_clean(exclude=["created_at"])
    except ValidationError as error:
        for field, messages in error.message_dict.items():
            name = "name" if field == NON_FIELD_ERRORS else field
            problems += [Problem(field=name, message=message) for message in messages]
    problems += find_rule_problems(rules or ())
    if not problems and calendar.pk is not None:
        problems += _tasks_without_ticks(calendar, rules)
    return problems


def find_rule_problems(rules: Sequence[CalendarRule]) -> list[Problem]:
    """Return what is wrong with each of ``rules``, whatever calendar they are for."""
    if len(rules) > MOST_RULES:
        return [
            Problem(field="rules", message=_("A calendar has at most %(n)d rules; use several.") % {"n": MOST_RULES})
        ]
    problems = []
    for position, rule in enumerate(rules):
        try:
            rule.full_clean(exclude=["calendar"])
        except ValidationError as error:
            for field, messages in error.message_dict.items():
                path = (position,) if field == NON_FIELD_ERRORS else (position, field)
                problems += [Problem(field="rules", path=path, message=message) for message in messages]
    return problems


def find_calendars(namespace: Namespace, names: Iterable[str]) -> list[Calendar]:
    """Return the calendars of ``namespace`` with these names; raises ValidationError when there is no such one."""
    wanted = set(names)
    found = {calendar.name: calendar for calendar in Calendar.objects.filter(namespace=namespace, name__in=wanted)}
    for name in sorted(wanted - found.keys()):
        message = _("There is no calendar “%(name)s” in this namespace.") % {"name": name}
        raise ValidationError({"calendars": [message]})
    return list(found.values())


@transaction.atomic
def save_calendar(
    calendar: Calendar, rules: Sequence[CalendarRule] | None = None, *, actor: User | None = None
) -> Calendar:
    """Check and store a new or changed calendar; schedulers follow as soon as the transaction commits.

    ``rules`` replace those that it has; None leaves them. Those that are stored already keep their ids. Raises
    ValidationError by field, or PermissionDenied; then nothing is stored.
    """
    require(actor, Action.ADMINISTER, calendar.namespace)
    if calendar.pk is not None:
        before = locked(calendar)
        require(actor, Action.ADMINISTER, before.namespace_id)
        if before.namespace_id != calendar.namespace_id and calendar.tasks.exists():
            raise ValidationError({"namespace": [_("Tasks of its namespace use it, so it stays there.")]})
    by_field: dict[str, list[str]] = {}
    for problem in find_calendar_problems(calendar, rules):
        by_field.setdefault(problem.field, []).append(str(problem))
    if by_field:
        raise ValidationError(by_field)
    calendar.save()
    if rules is not None:
        calendar.rules.exclude(pk__in=[rule.pk for rule in rules if rule.pk is not None]).delete()
        for rule in rules:
            rule.calendar = calendar
            rule.save()
    return calendar


@transaction.atomic
def delete_calendar(calendar: Calendar, *, actor: User | None = None) -> None:
    """Delete a calendar that no task uses; raises ValidationError when one does, and PermissionDenied.

    Otherwise its tasks would suddenly run on days on which they must not.
    """
    require(actor, Action.ADMINISTER, calendar.namespace_id)
    locked(calendar)
    used_by = list(calendar.tasks.order_by("name").values_list("name", flat=True)[: _NAMED + 1])
    if used_by:
        raise ValidationError(
            _("“%(calendar)s” is used by %(tasks)s; take it off there first.")
            % {"calendar": calendar.name, "tasks": _named(used_by)}
        )
    calendar.delete()


def _tasks_without_ticks(calendar: Calendar, rules: Sequence[CalendarRule] | None) -> list[Problem]:
    """Name the tasks to which the calendar, together with their others, would leave nothing."""
    now = timezone.now()
    shown = read_calendar(calendar, rules)
    read = {calendar.pk: shown}
    names = []
    tasks: list[Task] = list(calendar.tasks.prefetch_related("calendars__rules"))
    for task in tasks:
        for other in task.calendars.all():
            if other.pk not in read:
                read[other.pk] = read_calendar(other)
        used = [read[other.pk] for other in task.calendars.all()]
        try:
            found = blacks_out_everything(trigger_of(task), task.timezone, used, now=now)
        except InvalidField:
            # Its own problem, which stands beside its clock.
            continue
        if found is not None:
            names.append(task.name)
    if not names:
        return []
    message = _("This would leave no tick within a year to %(tasks)s.") % {"tasks": _named(names)}
    return [Problem(field="rules", message=message)]


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:_NAMED])
    return f"{shown} …" if len(names) > _NAMED else shown
