"""Days of the history that are long past."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from scheduling.db import Connection
from scheduling.engine.partitions import PARTITIONED, create_partitions, forget_known_partitions, partition_name
from scheduling.models import Task


def days_ago(count: int) -> date:
    """The day (UTC) so many days ago."""
    return datetime.now(UTC).date() - timedelta(days=count)


def make_day(conn: Connection, count: int) -> date:
    """Make the partitions of the day so many days ago, and return it."""
    day = days_ago(count)
    forget_known_partitions()
    create_partitions(conn, [day])
    return day


def tables_of(conn: Connection, day: date) -> set[str]:
    """The history tables that have a partition for ``day``, attached or not."""
    names = {partition_name(table, day): table for table in PARTITIONED}
    rows = conn.execute("SELECT relname FROM pg_class WHERE relname = ANY(%s)", [list(names)]).fetchall()
    return {names[row[0]] for row in rows}


def remove_days(conn: Connection, days: Iterable[date]) -> None:
    """Take away what a test made."""
    for day in days:
        for table in PARTITIONED:
            conn.execute(f"DROP TABLE IF EXISTS {partition_name(table, day)}".encode())
    forget_known_partitions()


def old_instance(conn: Connection, task: Task, day: date, *, made_days_ago: int | None = None) -> int:
    """An ended instance of ``day``, made then unless said otherwise; return its id."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    made = at if made_days_ago is None else datetime.now(UTC) - timedelta(days=made_days_ago)
    row = conn.execute(
        "INSERT INTO rota_instance (scheduled_for, namespace_id, task_id, task_version, fire_key, outcome, created_at, "
        "started_at, finished_at) VALUES (%s, %s, %s, 1, %s, 'succeeded', %s, %s, %s) RETURNING id",
        [at, task.namespace_id, task.pk, f"test:{made}", made, at, at + timedelta(seconds=1)],
    ).fetchone()
    assert row is not None
    instance_id: int = row[0]
    return instance_id
