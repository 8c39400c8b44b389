"""forget: rows beside the history that would grow for ever, each kept as long as anything can ask for it."""

from __future__ import annotations

from datetime import datetime

from scheduling.db import Connection
from scheduling.engine.fold_statistics import STATISTICS_LOCK

#: In one statement, so that no lock is held for long.
BATCH = 5000

# A key answers a request that is made again, as long as its instance is there.
_RUN_KEYS = """
DELETE FROM rota_run_key WHERE id = ANY(ARRAY(
    SELECT id FROM rota_run_key WHERE scheduled_for < %(before)s AND created_at < %(before)s
    ORDER BY id LIMIT %(limit)s))
"""

# A revision is what the history of its time was run by; the newest of each task stays, and gives a deleted one a name.
_REVISIONS = """
DELETE FROM rota_task_revision WHERE ctid = ANY(ARRAY(
    SELECT r.ctid FROM rota_task_revision r
    WHERE r.created_at < %(before)s
        AND EXISTS (SELECT FROM rota_task_revision later
            WHERE later.task_id = r.task_id AND later.version > r.version AND later.created_at < %(before)s)
        AND NOT EXISTS (SELECT FROM rota_queue_entry e WHERE e.task_id = r.task_id AND e.task_version = r.version)
        AND NOT EXISTS (SELECT FROM rota_schedule_period p WHERE p.task_id = r.task_id AND p.version = r.version)
    LIMIT %(limit)s))
"""

# A period matters as long as a part of it lies within the time that can be asked for.
_PERIODS = """
DELETE FROM rota_schedule_period WHERE id = ANY(ARRAY(
    SELECT p.id FROM rota_schedule_period p
    WHERE p.begins_at < %(before)s AND NOT p.to_record
        AND EXISTS (SELECT FROM rota_schedule_period later
            WHERE later.task_id = p.task_id AND later.id > p.id AND later.begins_at < %(before)s)
    ORDER BY p.id LIMIT %(limit)s))
"""

_HOURS = """
DELETE FROM rota_stat_hour WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM rota_stat_hour WHERE hour < %(before)s LIMIT %(limit)s))
"""

_DAYS = """
DELETE FROM rota_stat_day WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM rota_stat_day WHERE day < %(before)s LIMIT %(limit)s))
"""

# Sums by task that reach further back than the statistics that they are made of.
_SUMS = """
WITH gone AS (DELETE FROM rota_stat_window WHERE since < %(before)s RETURNING since)
DELETE FROM rota_stat_sum s USING gone g WHERE s.since = g.since
"""


def forget_run_keys(conn: Connection, *, before: datetime) -> int:
    """Delete the idempotency keys that were used, and whose instance was meant for, earlier than ``before``."""
    return _in_batches(conn, _RUN_KEYS, before)


def forget_definitions(conn: Connection, *, before: datetime) -> int:
    """Delete the periods and revisions of tasks that had been replaced by ``before``; return how many rows."""
    return _in_batches(conn, _PERIODS, before) + _in_batches(conn, _REVISIONS, before)


def forget_statistics(conn: Connection, *, before: datetime) -> int:
    """Delete the statistics of hours and days that began earlier than ``before``; return how many rows."""
    with conn.transaction():
        # Nobody may be adding to them.
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [STATISTICS_LOCK])
        conn.execute(_SUMS, {"before": before})
    return _in_batches(conn, _HOURS, before) + _in_batches(conn, _DAYS, before)


def _in_batches(conn: Connection, statement: str, before: datetime) -> int:
    total = 0
    while True:
        count = conn.execute(statement.encode(), {"before": before, "limit": BATCH}).rowcount
        total += count
        if count < BATCH:
            return total
