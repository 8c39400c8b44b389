"""Partitions of the history: made ahead by the scheduler, and on the fly for a date that has none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import psycopg
from psycopg import sql

from scheduling.db import Connection

#: The history tables and how full their pages are filled: the instance is updated once, the log never.
PARTITIONED = {"rota_instance": 55, "rota_execution": 55, "rota_log_chunk": 100}

#: Serialises the creation and the dropping of partitions between processes; taken for DDL only.
DDL_LOCK = 0x526F7461

#: Days that this process has seen to exist; only such as retention cannot have dropped meanwhile.
_known: set[date] = set()

#: Of the tables that the days need, those that are missing or stand apart from their parent.
_MISSING = """
SELECT w.parent, w.day, c.oid IS NOT NULL
FROM (SELECT parent, day, format('%%s_p%%s', parent, to_char(day, 'YYYYMMDD')) AS name
      FROM unnest(%(parents)s::text[]) AS parent CROSS JOIN unnest(%(days)s::date[]) AS day) w
LEFT JOIN pg_class c ON c.oid = to_regclass(w.name)
WHERE c.oid IS NULL OR NOT c.relispartition
ORDER BY w.parent, w.day
"""


def forget_known_partitions() -> None:
    """Drop what this process remembers, after somebody dropped partitions or changed the database."""
    _known.clear()


def are_known(days: Iterable[date]) -> bool:
    """Tell whether this process has seen the partitions of all ``days``, so that there is nothing to create."""
    return _known.issuperset(days)


def days_of(moments: Iterable[datetime]) -> set[date]:
    """Return the UTC days, one partition each, in which ``moments`` lie."""
    return {moment.astimezone(UTC).date() for moment in moments}


def partition_name(table: str, day: date) -> str:
    """Return the name of the table that holds ``day`` (UTC) of the history table ``table``."""
    return f"{table}_p{day:%Y%m%d}"


def bounds_of(day: date) -> tuple[datetime, datetime]:
    """Return the first moment of a partition's day, and the first one after it, in UTC."""
    lower = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return lower, lower + timedelta(days=1)


def create_partitions(conn: Connection, days: Iterable[date]) -> int:
    """Create what is missing of the partitions for ``days`` in every history table; return how many were made.

    ``conn`` must be in autocommit and outside a transaction. A partition is made as a plain table and then
    attached, which locks the parent only against other DDL: running inserts and readers go on. One that was detached
    in order to be dropped, and was not dropped yet, is attached again.
    """
    wanted = sorted(set(days) - _known)
    if not wanted:
        return 0
    asked = {"parents": list(PARTITIONED), "days": wanted}
    made = 0
    # Asked without the lock first: nearly always everything is there.
    if conn.execute(_MISSING, asked).fetchall():
        with conn.transaction():
            conn.execute("SELECT pg_advisory_xact_lock(%s)", [DDL_LOCK])
            for table, day, exists in conn.execute(_MISSING, asked).fetchall():
                if not exists:
                    _create_table(conn, table, day)
                attach_partition(conn, table, day)
                made += 1
    # Of what is older, logs may be dropped at any time.
    since = datetime.now(UTC).date() - timedelta(days=1)
    _known.update(day for day in wanted if day >= since)
    return made


def attach_partition(conn: Connection, table: str, day: date) -> None:
    """Attach the existing table of ``day`` to its parent; the caller holds `DDL_LOCK`."""
    lower, upper = (sql.Literal(f"{moment:%Y-%m-%d} 00:00:00+00") for moment in bounds_of(day))
    conn.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            sql.Identifier(table), sql.Identifier(partition_name(table, day)), lower, upper
        )
    )


def _create_table(conn: Connection, table: str, day: date) -> None:
    conn.execute(
        sql.SQL(
            "CREATE TABLE {} (LIKE {} INCLUDING ALL) WITH (fillfactor = {}, "
            "autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05)"
        ).format(sql.Identifier(partition_name(table, day)), sql.Identifier(table), sql.Literal(PARTITIONED[table]))
    )


def create_ahead(conn: Connection, *, now: datetime, days: int) -> int:
    """Create the partitions of yesterday, today and ``days`` further days; return how many were made."""
    today = now.astimezone(UTC).date()
    return create_partitions(conn, [today + timedelta(days=offset) for offset in range(-1, days + 1)])


def is_missing_partition(error: psycopg.Error) -> bool:
    """Tell whether an insert failed because its day has no partition."""
    return isinstance(error, psycopg.errors.CheckViolation) and "no partition" in str(error)
