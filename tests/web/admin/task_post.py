"""What a browser posts for the task form, and what the form answers."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from tests.factories import make_namespace

RULES = {
    "timezone": "UTC",
    "dst_gap": "run_after_gap",
    "dst_fold": "first",
    "catch_up": "latest",
    "max_catch_up": "100",
    "overlap": "skip",
    "pool_weight": "1",
    "max_attempts": "1",
    "retry_backoff": "exponential",
    "retry_delay_seconds": "10",
    "retry_max_delay_seconds": "3600",
    "kill_grace_seconds": "10",
    "on_worker_lost": "retry",
    "priority": "0",
    "jitter_seconds": "0",
    "queue": "default",
}


def fields(handler: str, **over: Any) -> dict[str, Any]:
    """Return the fields of a manual task named “new”, and ``over`` laid over them."""
    own = {"namespace": make_namespace().pk, "name": "new", "enabled": "on", "handler": handler, "trigger": "manual"}
    return {**RULES, **own, **over}


def add(client: Client, handler: str, **over: Any) -> Any:
    """Post the form of a new task."""
    posted = fields(handler, **over)
    return client.post(f"{reverse('admin:scheduling_task_add')}?handler={handler}", posted)


def errors(response: Any) -> dict[str, list[str]]:
    """Return the errors by field; the page shows each of them."""
    assert response.status_code == 200
    found: dict[str, list[str]] = response.context["adminform"].form.errors
    return found
