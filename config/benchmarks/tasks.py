"""Tasks of a benchmark by the thousand."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

from accounts.models import DEFAULT_NAMESPACE, Namespace
from scheduling.db import Connection
from scheduling.models import Task

_numbers = itertools.count(1)


def create_tasks(count: int, *, function: str = "benchmark.nothing", **fields: Any) -> list[int]:
    """Create ``count`` tasks with the default policies, unless said otherwise; return their ids, ascending."""
    namespace, _ = Namespace.objects.get_or_create(name=DEFAULT_NAMESPACE, defaults={"title": "Default"})
    made = Task.objects.bulk_create(
        [
            Task(
                namespace=namespace,
                name=f"{function} {next(_numbers)}",
                handler="python",
                params={"function": function, "kwargs": {}},
                **fields,
            )
            for _number in range(count)
        ],
        batch_size=1000,
    )
    return sorted(task.pk for task in made)


def spread_over_a_second(conn: Connection, ids: list[int], begin: datetime) -> None:
    """Let the interval tasks ``ids`` fire once a second each, evenly spread, from ``begin`` on."""
    step = timedelta(seconds=1) / max(len(ids), 1)
    conn.execute(
        "UPDATE rota_task t SET anchor_at = %s + v.n * %s, starts_at = %s, enabled = true "
        "FROM unnest(%s::int[]) WITH ORDINALITY AS v (id, n) WHERE t.id = v.id",
        [begin, step, begin, ids],
    )
