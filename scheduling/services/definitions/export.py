"""Stored tasks, calendars and pools as definitions that can be applied again."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from accounts.models import User
from accounts.permissions import permitted_namespaces
from scheduling.models import Calendar, Pool, Task
from scheduling.services.definitions.plain_objects import (
    Plain,
    plain_pool,
    plain_task,
    stored_calendar,
    without_secrets,
)
from scheduling.services.definitions.yaml_subset import write_yaml


def export_definitions(
    *,
    namespace: str = "",
    names: Collection[str] = (),
    owner: str = "",
    actor: User | None = None,
) -> list[Plain]:
    """Return calendars, pools, then tasks, by namespace and name; only what differs from the defaults, and no secret.

    ``namespace``, ``names`` (of tasks) and ``owner`` narrow it; then only the calendars and pools that these tasks
    use are there, unless ``namespace`` alone is given. ``actor`` None sees everything.
    """
    tasks = Task.objects.select_related("namespace", "pool").prefetch_related("calendars")
    calendars = Calendar.objects.select_related("namespace").prefetch_related("rules")
    pools = Pool.objects.select_related("namespace")
    if actor is not None:
        allowed = list(permitted_namespaces(actor).values_list("pk", flat=True))
        tasks, calendars = tasks.filter(namespace__in=allowed), calendars.filter(namespace__in=allowed)
        pools = pools.filter(namespace__in=allowed)
    if namespace:
        tasks, calendars = tasks.filter(namespace__name=namespace), calendars.filter(namespace__name=namespace)
        pools = pools.filter(namespace__name=namespace)
    if names:
        tasks = tasks.filter(name__in=list(names))
    if owner:
        tasks = tasks.filter(owner=owner)
    if names or owner:
        calendars, pools = calendars.filter(tasks__in=tasks).distinct(), pools.filter(tasks__in=tasks).distinct()
    shown = [stored_calendar(each) for each in calendars] + [plain_pool(each) for each in pools]
    shown += [without_secrets(plain_task(each, [used.name for used in each.calendars.all()])) for each in tasks]
    # Sorted here: how a database orders names depends on its collation.
    return sorted(shown, key=lambda each: (each["kind"], each["namespace"], each["name"]))


def as_yaml(definitions: Iterable[Plain]) -> str:
    """Return the definitions as a YAML text, one document each; equal definitions give equal texts."""
    return "".join(f"---\n{write_yaml(each)}" for each in definitions)


def as_json(definitions: Iterable[Plain]) -> str:
    """Return the definitions as a JSON list; equal definitions give equal texts."""
    return json.dumps(list(definitions), indent=2, ensure_ascii=False) + "\n"
