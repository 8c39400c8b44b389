"""What a worker knows of the tasks that it runs: their revisions, read once and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from scheduling.db import Connection
from scheduling.domain.policies import OnWorkerLost
from scheduling.domain.retry import RetryPolicy
from workers.handlers.process_limits import NO_LIMITS, ProcessLimits

_READ = """
SELECT r.task_id, r.version, r.definition, n.name
FROM unnest(%(ids)s::int[], %(versions)s::int[]) AS v (task_id, version)
JOIN rota_task_revision r ON r.task_id = v.task_id AND r.version = v.version
LEFT JOIN accounts_namespace n ON n.id = (r.definition ->> 'namespace_id')::bigint
"""

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
            _READ, {"ids": [task_id for task_id, _ in missing], "versions": [version for _, version in missing]}
        )
        for task_id, version, said, namespace in rows.fetchall():
            found[task_id, version] = self._kept[task_id, version] = _definition(said, namespace or "")
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found


def _definition(said: Mapping[str, Any], namespace: str) -> Definition:
    return Definition(
        name=said["name"],
        namespace=namespace,
        params=said["params"],
        retry=RetryPolicy.of(said),
        kill_grace_seconds=said["kill_grace_seconds"],
        soft_timeout_seconds=said.get("soft_timeout_seconds"),
        on_worker_lost=OnWorkerLost(said["on_worker_lost"]),
        # A revision may be older than these fields.
        limits=ProcessLimits(
            max_processes=said.get("max_processes"),
            max_memory_mb=said.get("max_memory_mb"),
            max_cpu_seconds=said.get("max_cpu_seconds"),
        ),
    )
