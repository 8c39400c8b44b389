"""The columns of the list of tasks as a CSV file."""

from __future__ import annotations

from accounts.admin.csv_export import Columns
from scheduling.admin.last_instances import last_instance
from scheduling.models import Task
from scheduling.task_state import state_of


def task_columns() -> Columns:
    """Return what a row of the exported list holds; params are left out, for they may hold secrets."""
    return {
        "task": lambda each: each.pk,
        "name": lambda each: each.name,
        "namespace": lambda each: each.namespace.name,
        "state": lambda each: state_of(each).value,
        "handler": lambda each: each.handler,
        "trigger": lambda each: str(each.trigger),
        "cron_expression": lambda each: each.cron_expression,
        "timezone": lambda each: each.timezone,
        "every_seconds": lambda each: each.every_seconds,
        "queue": lambda each: each.queue,
        "next_run_at": lambda each: each.clock.next_run_at,
        "last_instance": _last_number,
        "last_state": _last_state,
        "version": lambda each: each.version,
        "updated_at": lambda each: each.updated_at,
    }


def _last_number(task: Task) -> int | None:
    found = last_instance(task)
    return None if found is None else found.pk


def _last_state(task: Task) -> str:
    found = last_instance(task)
    return "" if found is None else found.state.value
