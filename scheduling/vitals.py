"""Is scheduling going on? A few numbers, each from a small table or the end of an index."""

from __future__ import annotations

import json
from dataclasses import dataclass

from scheduling.conf import conf
from scheduling.db import Connection

# A clock that shows a moment in the past is one that nobody has fired yet.
_VITALS = """
SELECT
    (SELECT count(*) FROM rota_scheduler WHERE stopped_at IS NULL
        AND last_seen_at > clock_timestamp() - make_interval(secs => %s)),
    coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - min(next_run_at)))
        FROM rota_task_clock WHERE next_run_at IS NOT NULL), 0)::float8
"""

_SCHEDULERS = """
SELECT name, extract(epoch FROM clock_timestamp() - last_seen_at)::float8, lag_seconds, counts::text
FROM rota_scheduler WHERE stopped_at IS NULL ORDER BY id
"""

_QUEUE = """
SELECT queue, state, count(*),
    greatest(0, extract(epoch FROM clock_timestamp() - min(run_at)))::float8
FROM rota_queue_entry GROUP BY queue, state ORDER BY queue, state
"""


@dataclass(frozen=True, slots=True)
class Vitals:
    """The fields stand in the order of the statement's columns."""

    schedulers_alive: int
    #: For how long the most overdue tick has been waiting to be fired.
    overdue_seconds: float


@dataclass(frozen=True, slots=True)
class SchedulerVitals:
    """One scheduler that has not stopped in order. The fields stand in the order of the statement's columns."""

    name: str
    silent_seconds: float
    lag_seconds: float
    #: What it has done since it started, by name.
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class QueueVitals:
    """The entries of one queue in one state. The fields stand in the order of the statement's columns."""

    queue: str
    #: An `EntryState`.
    state: int
    count: int
    #: How long ago the oldest of them was due.
    oldest_seconds: float


def vitals(conn: Connection) -> Vitals:
    """Return whether schedulers live and keep up. Raises psycopg.Error."""
    row = conn.execute(_VITALS, [conf().live_seconds]).fetchone()
    assert row is not None  # noqa: S101 - a SELECT of expressions has one row
    return Vitals(*row)


def scheduler_vitals(conn: Connection) -> list[SchedulerVitals]:
    """Return the schedulers that have not stopped in order, those that went silent included."""
    rows = conn.execute(_SCHEDULERS).fetchall()
    # As text, because Django's connections leave JSON undecoded and others do not.
    return [SchedulerVitals(name, silent, lag, json.loads(counts)) for name, silent, lag, counts in rows]


def queue_vitals(conn: Connection) -> list[QueueVitals]:
    """Return how much is in the queue, by name and state. Reads the whole queue, so ask now and then only."""
    return [QueueVitals(*row) for row in conn.execute(_QUEUE).fetchall()]
