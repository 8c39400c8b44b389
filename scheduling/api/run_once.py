"""Runs that are asked for with an idempotency key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.models import User
from scheduling.domain.states import Origin
from scheduling.models import RunKey, Task, TaskInstance
from scheduling.services.run import run_task_now


def run_once(
    task: Task,
    *,
    key: str,
    actor: User,
    params: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> tuple[TaskInstance, bool]:
    """Run ``task`` unless ``key`` has run it before; return the instance, and whether it is the earlier one.

    The service alone guarantees one instance for a key. The lock here is held until the transaction ends, so
    that of two requests at the same moment exactly one is told that it made the instance.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"run {task.pk} {key}"])
        repeated = RunKey.objects.filter(task=task, key=key).exists()
        instance = run_task_now(task, params=params, at=at, key=key, origin=Origin.API, actor=actor)
    return instance, repeated
