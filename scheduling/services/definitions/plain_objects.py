"""From stored objects to plain ones: only what differs from the defaults, always in the same order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models

from scheduling.domain.policies import TriggerKind
from scheduling.models import Pool, Task
from scheduling.models.calendar import Calendar
from scheduling.services.definitions.entries import CALENDAR, POOL, TASK
from scheduling.services.definitions.fields import pool_fields, rule_fields, task_fields, write_plain
from scheduling.services.shown_params import shown_params

Plain = dict[str, Any]


def plain_task(task: Task, calendars: Iterable[str]) -> Plain:
    """Return a task as its definition, secrets included: for comparing, never for showing."""
    plain: Plain = {"kind": TASK, "namespace": task.namespace.name, "name": task.name}
    for name, field in task_fields().items():
        value = getattr(task, name)
        if isinstance(value, Pool):
            value = value.name
        if name == "run_at" and delayed(task):
            continue  # it follows from the delay, and from the moment at which the delay was given
        if value != field.get_default():
            plain[name] = write_plain(value)
    if names := sorted(calendars):
        plain["calendars"] = names
    return plain


def plain_calendar(name: str, namespace: str, description: str, rules: Iterable[Plain]) -> Plain:
    """Return a calendar as its definition. ``rules`` hold the fields' own values; their order says nothing."""
    plain: Plain = {"kind": CALENDAR, "namespace": namespace, "name": name}
    if description:
        plain["description"] = description
    if written := sorted((_plain_rule(each) for each in rules), key=_order_of_rule):
        plain["rules"] = written
    return plain


def plain_pool(pool: Pool) -> Plain:
    """Return a pool as its definition; how many slots it has is always said."""
    plain: Plain = {"kind": POOL, "namespace": pool.namespace.name, "name": pool.name}
    for name, field in pool_fields().items():
        value = getattr(pool, name)
        if name == "slots" or value != field.get_default():
            plain[name] = write_plain(value)
    return plain


def stored_calendar(calendar: Calendar) -> Plain:
    """Return a stored calendar as its definition."""
    rules = [{name: getattr(rule, name) for name in rule_fields()} for rule in calendar.rules.all()]
    return plain_calendar(calendar.name, calendar.namespace.name, calendar.description, rules)


def without_secrets(plain: Plain) -> Plain:
    """Return a task's definition with a mask for every param that is a secret, as far as is known."""
    if "params" not in plain:
        return plain
    return {**plain, "params": shown_params(str(plain.get("handler", "")), plain["params"])}


def delayed(task: Task) -> bool:
    """Tell whether the moment of the task's single run follows from a delay."""
    return task.trigger == TriggerKind.ONCE and task.delay_seconds is not None


def _plain_rule(rule: Plain) -> Plain:
    # What a rule is about is always said, even where it is the default: a rule is read by people.
    said = {"effect", "kind"}
    plain: Plain = {}
    for name, field in rule_fields().items():
        value = rule.get(name, field.get_default())
        if name in said or not _is_default(field, value):
            plain[name] = write_plain(value)
    return plain


def _is_default(field: models.Field[Any, Any], value: Any) -> bool:
    return value in (None, [], "") or value == field.get_default()


def _order_of_rule(rule: Plain) -> list[str]:
    return [str(rule.get(name, "")).rjust(4, "0") for name in rule_fields()]
