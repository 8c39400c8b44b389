"""history_days: which days the history has partitions for, how large they are, and what of them is unfinished."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from psycopg import sql

from scheduling.db import Connection
from scheduling.engine.partitions import PARTITIONED, partition_name

# Sizes are those of the table with its indexes and long values. Rows are an estimate: counting would read them all.
_TABLES = r"""
SELECT m[1], to_date(m[2], 'YYYYMMDD'), pg_total_relation_size(c.oid),
    greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::bigint, c.relispartition,
    coalesce(i.inhdetachpending, false)
FROM pg_class c
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
CROSS JOIN LATERAL regexp_match(c.relname, '^(.+)_p(\d{8})$') AS m
WHERE c.relkind = 'r' AND m[1] = ANY(%(tables)s)
    AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'rota_instance'::regclass)
ORDER BY 2, 1
"""

_LIVE = """
SELECT (scheduled_for AT TIME ZONE 'UTC')::date, count(*) FROM rota_queue_entry GROUP BY 1
"""


@dataclass(kw_only=True, slots=True)
class Partition:
    """One table of one day."""

    table: str
    day: date
    size_bytes: int
    #: An estimate.
    rows: int
    #: False: it was detached in order to be dropped, and that was interrupted.
    attached: bool
    #: Its detaching was begun and not completed.
    detaching: bool

    @property
    def name(self) -> str:
        """The name of the table."""
        return partition_name(self.table, self.day)


@dataclass(kw_only=True, slots=True)
class HistoryDay:
    """One day (UTC) of the history."""

    day: date
    #: How many of its instances have not ended.
    live: int = 0
    #: By the name of the history table.
    partitions: dict[str, Partition] = field(default_factory=dict)


def history_days(conn: Connection) -> list[HistoryDay]:
    """Return every day that has a partition, oldest first, with what is unfinished of it."""
    days: dict[date, HistoryDay] = {}
    rows = conn.execute(_TABLES, {"tables": list(PARTITIONED)}).fetchall()
    for table, day, size_bytes, count, attached, detaching in rows:
        partition = Partition(
            table=table, day=day, size_bytes=size_bytes, rows=count, attached=attached, detaching=detaching
        )
        days.setdefault(day, HistoryDay(day=day)).partitions[table] = partition
    for day, live in conn.execute(_LIVE).fetchall():
        if day in days:
            days[day].live = live
    return list(days.values())


def live_on(conn: Connection, day: date) -> int:
    """Return how many instances of ``day`` have not ended."""
    row = conn.execute(
        "SELECT count(*) FROM rota_queue_entry WHERE (scheduled_for AT TIME ZONE 'UTC')::date = %s", [day]
    ).fetchone()
    return row[0] if row else 0


def written_at(conn: Connection, day: HistoryDay) -> datetime | None:
    """Return when the newest instance of ``day`` was made; None when it holds none. One look into its primary key."""
    partition = day.partitions.get("rota_instance")
    if partition is None:
        return None
    row = conn.execute(
        sql.SQL("SELECT created_at FROM {} ORDER BY id DESC LIMIT 1").format(sql.Identifier(partition.name))
    ).fetchone()
    moment: datetime | None = row[0] if row else None
    return None if moment is None else moment.astimezone(UTC)
