"""What a worker knows of the tasks that it runs: their revisions, read once and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scheduling.db import Connection
from scheduling.domain.policies import OnWorkerLost
from scheduling.domain.retry import RetryPolicy
from workers.handlers.process_limits import NO_LIMITS, ProcessLimits

_READ = """
SELECT r.definition, n.name FROM rota_task_revision r
LEFT JOIN accounts_namespace n ON n.id = (r.definition ->> 'namespace_id')::bigint
WHERE r.task_id = %s AND r.version = %s
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
    """A bounded cache of revisions. A revision never changes, so what is cached is never stale."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], Definition] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, conn: Connection, task_id: int, version: int) -> Definition | None:
        """Return a revision, from the cache or by ``conn``; None when there is no such revision."""
        key = (task_id, version)
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                return kept
        row = conn.execute(_READ, [task_id, version]).fetchone()
        if row is None:
            return None
        definition = _definition(row[0], row[1] or "")
        with self._lock:
            self._kept[key] = definition
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return definition


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
