"""What a set of definitions changes, and everything that is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Namespace, User
from accounts.permissions import permitted_namespaces, require
from accounts.roles import Action
from scheduling.domain.param_secrets import unmasked
from scheduling.models import Calendar, CalendarRule, Pool, Task
from scheduling.services.calendars import find_rule_problems
from scheduling.services.definitions.diff import ObjectChange, Outcome
from scheduling.services.definitions.entries import CALENDAR, POOL, TASK, Entry, Key
from scheduling.services.definitions.fields import pool_fields, rule_fields, task_fields
from scheduling.services.definitions.plain_objects import (
    delayed,
    plain_calendar,
    plain_pool,
    plain_task,
    stored_calendar,
)
from scheduling.services.definitions.problems import DefinitionProblem
from scheduling.services.pools import find_pool_problems
from scheduling.services.problems import Problem
from scheduling.services.validation import find_problems


@dataclass(slots=True)
class Plan:
    """The changes in the order in which they are made, and what is wrong. With problems nothing may be stored.

    ``tasks`` are as they shall be stored (or, for those that are pruned, as they are), ``calendars`` those that each
    of them shall use.
    """

    changes: list[ObjectChange] = field(default_factory=list)
    problems: list[DefinitionProblem] = field(default_factory=list)
    tasks: dict[Key, Task] = field(default_factory=dict)
    calendars: dict[Key, list[Calendar]] = field(default_factory=dict)


def make_plan(entries: list[Entry], *, owner: str, prune: bool, actor: User | None) -> Plan:
    """Compare the entries with what is stored, whose rows stay locked until the transaction ends.

    Calendars and pools are stored at once, since whether a task is sound depends on those that it will have: the
    caller rolls back when there are problems.

    Raises PermissionDenied for a namespace that ``actor`` may see but not change; one that they may not see does
    not exist, which is a problem like others.
    """
    plan = Plan()
    namespaces = _namespaces(plan, entries, actor)
    known = [each for each in entries if each.namespace in namespaces]
    calendars = _stored_calendars(namespaces.values())
    for entry in (each for each in known if each.kind == CALENDAR):
        _plan_calendar(plan, entry, namespaces[entry.namespace], calendars.get(entry.key))
    pools = _stored_pools(namespaces.values())
    for entry in (each for each in known if each.kind == POOL):
        pools[entry.key] = _plan_pool(plan, entry, namespaces[entry.namespace], pools.get(entry.key))
    # Read again, with the rules that they have now.
    calendars = _stored_calendars(namespaces.values())
    tasks = _stored_tasks(namespaces.values(), owner if prune else "", actor)
    for entry in (each for each in known if each.kind == TASK):
        stored = tasks.get(entry.key)
        pool = _named_pool(plan, entry, pools)
        _plan_task(plan, entry, namespaces[entry.namespace], stored, calendars, pool, owner)
    if prune:
        defined = {entry.key for entry in entries}
        for key, task in sorted(tasks.items()):
            if task.owner == owner and key not in defined:
                plan.tasks[key] = task
                before = plain_task(task, _calendar_names(task))
                plan.changes.append(ObjectChange(key=key, before=before, after=None, owners=(owner, owner)))
    return plan


def _namespaces(plan: Plan, entries: list[Entry], actor: User | None) -> dict[str, Namespace]:
    visible = Namespace.objects.all() if actor is None else permitted_namespaces(actor)
    found = {each.name: each for each in visible}
    wanted: dict[str, Namespace] = {}
    for entry in entries:
        if entry.namespace in wanted:
            continue
        if entry.namespace not in found:
            sentence = _("There is no namespace “%(name)s”, or you may not see it.") % {"name": entry.namespace}
            plan.problems.append(entry.problem(sentence + _hint(entry.namespace, found), field="namespace"))
            continue
        require(actor, Action.ADMINISTER, found[entry.namespace])
        wanted[entry.namespace] = found[entry.namespace]
    return wanted


def _stored_calendars(namespaces: Iterable[Namespace]) -> dict[Key, Calendar]:
    rows = Calendar.objects.filter(namespace__in=list(namespaces)).select_related("namespace").prefetch_related("rules")
    return {(CALENDAR, each.namespace.name, each.name): each for each in rows}


def _stored_pools(namespaces: Iterable[Namespace]) -> dict[Key, Pool]:
    rows = Pool.objects.filter(namespace__in=list(namespaces)).select_related("namespace")
    return {
        (POOL, each.namespace.name, each.name): each for each in rows.select_for_update(of=("self",)).order_by("pk")
    }


def _stored_tasks(namespaces: Iterable[Namespace], pruned_owner: str, actor: User | None) -> dict[Key, Task]:
    rows = Task.objects.filter(namespace__in=list(namespaces))
    if pruned_owner:
        mine = Task.objects.filter(owner=pruned_owner)
        if actor is not None:
            mine = mine.filter(namespace__in=permitted_namespaces(actor, Action.ADMINISTER))
        rows = Task.objects.filter(pk__in=[*rows.values_list("pk", flat=True), *mine.values_list("pk", flat=True)])
    locked = rows.select_for_update(of=("self",)).select_related("namespace", "pool").prefetch_related("calendars")
    return {(TASK, each.namespace.name, each.name): each for each in locked.order_by("pk")}


def _plan_calendar(plan: Plan, entry: Entry, namespace: Namespace, stored: Calendar | None) -> None:
    before = None if stored is None else stored_calendar(stored)
    calendar = stored or Calendar(namespace=namespace, name=entry.name)
    calendar.description = entry.fields.get("description", "")
    rules = [CalendarRule(**fields) for fields in entry.members]
    problems = find_rule_problems(rules)
    try:
        calendar.full_clean(exclude=["created_at"])
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            problems += [Problem(field="name" if name == NON_FIELD_ERRORS else name, message=each) for each in messages]
    plan.problems += [entry.problem(each.message, field=each.field, path=each.path) for each in problems]
    fields = [{name: getattr(rule, name) for name in rule_fields()} for rule in rules]
    after = plain_calendar(entry.name, entry.namespace, calendar.description, fields)
    change = ObjectChange(key=entry.key, before=before, after=after)
    plan.changes.append(change)
    if problems or change.outcome is Outcome.UNCHANGED:
        return
    calendar.save()
    calendar.rules.all().delete()
    for rule in rules:
        rule.calendar = calendar
        rule.save()


def _plan_pool(plan: Plan, entry: Entry, namespace: Namespace, stored: Pool | None) -> Pool:
    before = None if stored is None else plain_pool(stored)
    pool = stored or Pool(namespace=namespace, name=entry.name)
    for name, field_ in pool_fields().items():
        setattr(pool, name, entry.fields.get(name, field_.get_default()))
    problems = find_pool_problems(pool)
    plan.problems += [entry.problem(each.message, field=each.field, path=each.path) for each in problems]
    change = ObjectChange(key=entry.key, before=before, after=plain_pool(pool))
    plan.changes.append(change)
    if not problems and change.outcome is not Outcome.UNCHANGED:
        pool.save()
    return pool


def _named_pool(plan: Plan, entry: Entry, pools: dict[Key, Pool]) -> Pool | None:
    """Return the pool that a task's definition names, or note that there is none of that name."""
    name = entry.fields.get("pool")
    if name is None:
        return None
    pool = pools.get((POOL, entry.namespace, name))
    if pool is None:
        near = [known for _kind, space, known in pools if space == entry.namespace]
        sentence = _("There is no pool “%(name)s” in this namespace.") % {"name": name}
        plan.problems.append(entry.problem(sentence + _hint(name, near), field="pool"))
        return None
    # One that could not be stored has a problem of its own.
    return pool if pool.pk is not None else None


def _plan_task(
    plan: Plan,
    entry: Entry,
    namespace: Namespace,
    stored: Task | None,
    calendars: dict[Key, Calendar],
    pool: Pool | None,
    owner: str,
) -> None:
    before = None if stored is None else plain_task(stored, _calendar_names(stored))
    old_owner = "" if stored is None else stored.owner
    task = stored or Task(namespace=namespace, name=entry.name)
    earlier = (task.params, task.delay_seconds if stored and delayed(task) else None, task.run_at)
    for name, field_ in task_fields().items():
        if name == "pool":
            task.pool = pool
        elif name in entry.fields:
            setattr(task, name, entry.fields[name])
        elif name != "enabled":
            # What a file does not say is the default, but whether it runs now is the operators' to say.
            setattr(task, name, field_.get_default())
    task.params = unmasked(task.params, earlier[0])
    if delayed(task) and task.run_at is None:
        # Applying a file twice must not run its task twice: the same delay keeps the moment that it once became.
        kept = earlier[2] if earlier[1] == task.delay_seconds else None
        task.run_at = kept or timezone.now() + timedelta(seconds=task.delay_seconds or 0)
    if owner:
        if old_owner not in {"", owner}:
            sentence = _("This task belongs to the files of “%(owner)s”.") % {"owner": old_owner}
            plan.problems.append(entry.problem(sentence))
        task.owner = owner
    if "run_at" in entry.fields and delayed(task):
        plan.problems.append(entry.problem(_("Give either a moment or a delay, not both."), field="run_at"))
    used = []
    for name in entry.members:
        calendar = calendars.get((CALENDAR, entry.namespace, name))
        if calendar is not None:
            used.append(calendar)
            continue
        near = [known for _kind, space, known in calendars if space == entry.namespace]
        sentence = _("There is no calendar “%(name)s” in this namespace.") % {"name": name}
        plan.problems.append(entry.problem(sentence + _hint(name, near), field="calendars"))
    plan.problems += [
        entry.problem(each.message, field=each.field, path=each.path) for each in find_problems(task, calendars=used)
    ]
    plan.tasks[entry.key], plan.calendars[entry.key] = task, used
    after = plain_task(task, entry.members)
    plan.changes.append(ObjectChange(key=entry.key, before=before, after=after, owners=(old_owner, task.owner)))


def _calendar_names(task: Task) -> list[str]:
    return [each.name for each in task.calendars.all()] if task.pk else []


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" {_('Did you mean “%(near)s”?') % {'near': near[0]}}" if near else ""
