"""Partitions of the history: made ahead by the scheduler, and on the fly for a date that has none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import psycopg
from psycopg import sql

from scheduling.db import Connection

#: The history tables and how full their pages are filled: the instance is updated once, the log never.
PARTITIONED = {"rota_instance": 70, "rota_execution": 70, "rota_log_chunk": 100}

#: Serialises the creation of partitions between processes; taken for DDL only.
_DDL_LOCK = 0x526F7461

#: Days that this process has seen to exist. Dropping them is far away from the days that anybody writes to.
_known: set[date] = set()


def forget_known_partitions() -> None:
    """Drop what this process remembers, after somebody dropped partitions or changed the database."""
    _known.clear()


def are_known(days: Iterable[date]) -> bool:
    """Tell whether this process has seen the partitions of all ``days``, so that there is nothing to create."""
    return _known.issuperset(days)


def days_of(moments: Iterable[datetime]) -> set[date]:
    """Return the UTC days, one partition each, in which ``moments`` lie."""
    return {moment.astimezone(UTC).date() for moment in moments}


def create_partitions(conn: Connection, days: Iterable[date]) -> int:
    """Create what is missing of the partitions for ``days`` in every history table; return how many were made.

    ``conn`` must be in autocommit and outside a transaction. A partition is made as a plain table and then
    attached, which locks the parent only against other DDL: running inserts and readers go on.
    """
    wanted = sorted(set(days) - _known)
    if not wanted:
        return 0
    made = 0
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [_DDL_LOCK])
        for table, fillfactor in PARTITIONED.items():
            for day in wanted:
                name = f"{table}_p{day:%Y%m%d}"
                row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone()
                if row and row[0]:
                    continue
                lower, upper = (sql.Literal(f"{d.isoformat()} 00:00:00+00") for d in (day, day + timedelta(days=1)))
                ident, parent = sql.Identifier(name), sql.Identifier(table)
                conn.execute(
                    sql.SQL(
                        "CREATE TABLE {} (LIKE {} INCLUDING ALL) WITH (fillfactor = {}, "
                        "autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05)"
                    ).format(ident, parent, sql.Literal(fillfactor))
                )
                conn.execute(
                    sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                        parent, ident, lower, upper
                    )
                )
                made += 1
    _known.update(wanted)
    return made


def create_ahead(conn: Connection, *, now: datetime, days: int) -> int:
    """Create the partitions of yesterday, today and ``days`` further days; return how many were made."""
    today = now.astimezone(UTC).date()
    return create_partitions(conn, [today + timedelta(days=offset) for offset in range(-1, days + 1)])


def is_missing_partition(error: psycopg.Error) -> bool:
    """Tell whether an insert failed because its day has no partition."""
    return isinstance(error, psycopg.errors.CheckViolation) and "no partition" in str(error)
