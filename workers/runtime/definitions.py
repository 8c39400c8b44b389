"""What a worker knows of the tasks that it runs: their revisions, read once and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg import sql

from scheduling.db import Connection, array_of_integers
from scheduling.domain.policies import OnWorkerLost
from scheduling.domain.retry import RetryPolicy
from scheduling.kept_plans import keeps_plans
from workers.handlers.process_limits import NO_LIMITS, ProcessLimits

_POLICIES = {
    "max_attempts": "int",
    "retry_backoff": "text",
    "retry_delay_seconds": "int",
    "retry_max_delay_seconds": "int",
    "retry_delays": "int[]",
    "retry_on": "text[]",
    "give_up_on": "text[]",
    "kill_grace_seconds": "int",
    "soft_timeout_seconds": "int",
    "on_worker_lost": "text",
    "max_processes": "int",
    "max_memory_mb": "int",
    "max_cpu_seconds": "int",
}

# Column by column: a whole definition is a kilobyte of JSON, and a herd of tasks comes with ten thousand of them.
# As bytes, which psycopg reads once and not for each query.
_READ = (
    sql.SQL("""
SELECT r.task_id, r.version, d.name, n.name, d.params, {policies}
FROM unnest(%(ids)s::int[], %(versions)s::int[]) AS v (task_id, version)
JOIN rota_task_revision r ON r.task_id = ANY(ARRAY[v.task_id]) AND r.version = v.version
CROSS JOIN LATERAL jsonb_to_record(r.definition) AS d (namespace_id bigint, name text, params jsonb, {columns})
LEFT JOIN accounts_namespace n ON n.id = d.namespace_id
""")
    .format(
        policies=sql.SQL(", ").join(sql.Identifier("d", name) for name in _POLICIES),
        columns=sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(t)) for n, t in _POLICIES.items()
        ),
    )
    .as_bytes(None)
)

#: How many revisions a worker keeps.
KEPT = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """One revision of a task, as far as running it is concerned."""

    name: str
    namespace: str
    params: Mapping[str, Any]
    retry: RetryPolicy
    kill_grace_seconds: float
    #: Work that takes longer is marked and goes on.
    soft_timeout_seconds: float | None
    on_worker_lost: OnWorkerLost
    limits: ProcessLimits = NO_LIMITS


class Definitions:
    """A bounded cache of revisions. A revision never changes, so what is cached is never stale.

    Used by one thread.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], Definition] = OrderedDict()

    def get(self, conn: Connection, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], Definition]:
        """Return the revisions (task id, version) that exist, from the cache or all others by one query."""
        found = {key: kept for key in keys if (kept := self._kept.get(key)) is not None}
        missing = [key for key in set(keys) if key not in found]
        if not missing:
            return found
        rows = conn.execute(
            _READ,
            {
                "ids": array_of_integers(task_id for task_id, _ in missing),
                "versions": array_of_integers(version for _, version in missing),
            },
            prepare=keeps_plans(conn),
        )
        for task_id, version, name, namespace, params, *rest in rows.fetchall():
            found[task_id, version] = self._kept[task_id, version] = _definition(name, namespace or "", params, rest)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found


def _definition(name: str, namespace: str, params: Mapping[str, Any], rest: Sequence[Any]) -> Definition:
    policies = _policies(*(tuple(value) if isinstance(value, list) else value for value in rest))
    return Definition(name=name, namespace=namespace, params=params, **policies)


# Most tasks have the same few.
@lru_cache(maxsize=1000)
def _policies(*values: Any) -> Mapping[str, Any]:
    """Return the fields of a `Definition` that are policies; a revision may be older than some of them."""
    said = dict(zip(_POLICIES, values, strict=True))
    return {
        "retry": RetryPolicy.of(said),
        "kill_grace_seconds": said["kill_grace_seconds"],
        "soft_timeout_seconds": said["soft_timeout_seconds"],
        "on_worker_lost": OnWorkerLost(said["on_worker_lost"]),
        "limits": ProcessLimits(
            max_processes=said["max_processes"],
            max_memory_mb=said["max_memory_mb"],
            max_cpu_seconds=said["max_cpu_seconds"],
        ),
    }
