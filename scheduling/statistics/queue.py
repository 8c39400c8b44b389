"""The queue at this moment: how much waits, since when, and how punctual schedulers are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from scheduling.db import callers_connection
from scheduling.statistics.scope import Scope

# What should have been fired and was not: nobody fires, or nobody keeps up. It is about schedulers and not about
# tasks, so it is the same for every reader. An hour ago is reckoned once, for a clock that goes on no index answers,
# and by a clock that the planner can read, too, or it would take every third failure of the history for one of these.
_QUEUE = """
SELECT clock_timestamp(),
    count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state IN (2, 5)),
    count(*) FILTER (WHERE state = 3), count(*) FILTER (WHERE state = 4), min(run_at) FILTER (WHERE state IN (0, 2, 5)),
    min(run_at) FILTER (WHERE state = 0),
    (SELECT coalesce(greatest(extract(epoch FROM clock_timestamp() - min(k.next_run_at)), 0), 0)::float8
     FROM rota_task_clock k),
    (SELECT count(*) FROM rota_instance i WHERE i.failed_at > statement_timestamp() - interval '1 hour'
        AND (%(namespaces)s::bigint[] IS NULL OR i.namespace_id = ANY(%(namespaces)s))
        AND (%(task)s::int IS NULL OR i.task_id = %(task)s))
FROM rota_queue_entry e
WHERE (%(namespaces)s::bigint[] IS NULL OR e.namespace_id = ANY(%(namespaces)s))
    AND (%(task)s::int IS NULL OR e.task_id = %(task)s)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueHealth:
    """What is unfinished, by what it waits for."""

    measured_at: datetime
    #: Claimable now.
    ready: int
    running: int
    #: Held back by a limit, an overlap rule or a full pool.
    waiting_for_limit: int
    #: Will be tried again after a delay.
    waiting_for_retry: int
    #: Planned for a later moment.
    planned: int
    #: Since when the oldest of those that could run now, but for a worker or a limit, waits; None when none does.
    oldest_due_at: datetime | None
    #: The same of those that wait for a worker and for nothing else.
    oldest_ready_at: datetime | None
    #: How long the most overdue tick has not been fired.
    lag_seconds: float
    failed_last_hour: int

    @property
    def depth(self) -> int:
        """How many are unfinished."""
        return self.ready + self.running + self.waiting_for_limit + self.waiting_for_retry + self.planned

    @property
    def oldest_due_seconds(self) -> float | None:
        """How long the oldest one waits."""
        return self._age(self.oldest_due_at)

    @property
    def oldest_ready_seconds(self) -> float | None:
        """How long the oldest of those waits that no limit holds back."""
        return self._age(self.oldest_ready_at)

    def _age(self, since: datetime | None) -> float | None:
        return None if since is None else max(0.0, (self.measured_at - since).total_seconds())


def queue_health(scope: Scope) -> QueueHealth:
    """Return how the queue of ``scope`` stands. One query; it reads the queue, and of the history only an index."""
    with callers_connection().cursor() as cursor:
        row = cursor.execute(_QUEUE, scope.params).fetchone()
    assert row is not None  # noqa: S101 - an aggregate without GROUP BY has one row
    now, ready, running, limited, retry, planned, oldest, oldest_ready, lag, failed = row
    return QueueHealth(
        measured_at=now.astimezone(UTC),
        ready=ready,
        running=running,
        waiting_for_limit=limited,
        waiting_for_retry=retry,
        planned=planned,
        oldest_due_at=None if oldest is None else oldest.astimezone(UTC),
        oldest_ready_at=None if oldest_ready is None else oldest_ready.astimezone(UTC),
        lag_seconds=lag,
        failed_last_hour=failed,
    )
