"""drop_partition: a whole day of one history table goes, and nobody who reads or writes waits for it."""

from __future__ import annotations

from psycopg import errors, sql

from scheduling.db import Connection, set_for_session
from scheduling.engine.history_days import Partition, live_on
from scheduling.engine.partitions import DDL_LOCK, attach_partition, forget_known_partitions


class StillRead(Exception):
    """Somebody has been reading the history for so long that the partition could not be taken out yet."""


class StillLive(Exception):
    """Something of the partition's day is unfinished; the partition was left, or put back, where it belongs."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} unfinished")
        self.count = count


def drop_partition(conn: Connection, partition: Partition, *, patience_seconds: float = 600.0) -> None:
    """Detach ``partition``, unless something of its day is unfinished, and drop it.

    ``conn`` must be in autocommit, and belongs to the caller alone: detaching waits until everybody who uses the
    parent at this moment has ended his transaction, without making anybody else wait (PostgreSQL manual, ALTER TABLE,
    DETACH PARTITION … CONCURRENTLY). Raises StillLive, and the partition is where it was; and StillRead after
    ``patience_seconds``, when the next call has to go on with it; behind a pooler it waits for as long as it takes.
    """
    if live := live_on(conn, partition.day):
        if partition.detaching or not partition.attached:
            restore_partition(conn, partition, patience_seconds=patience_seconds)
        raise StillLive(live)
    if partition.attached:
        _detach(conn, partition, patience_seconds)
    with conn.transaction():
        _lock(conn)
        # What has found its way into the day while we waited keeps it.
        live = live_on(conn, partition.day)
        if live:
            _attach_again(conn, partition)
        elif not _is_attached(conn, partition):
            try:
                conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(partition.name)))
            except errors.LockNotAvailable as error:
                raise StillRead(partition.name) from error
    forget_known_partitions()
    if live:
        raise StillLive(live)


def restore_partition(conn: Connection, partition: Partition, *, patience_seconds: float = 600.0) -> None:
    """Put a partition back that was being taken out, or had been. Raises StillRead like `drop_partition`."""
    if partition.detaching:
        _detach(conn, partition, patience_seconds)
    with conn.transaction():
        _lock(conn)
        _attach_again(conn, partition)


def _lock(conn: Connection) -> None:
    conn.execute("SELECT pg_advisory_xact_lock(%s)", [DDL_LOCK])
    conn.execute("SET LOCAL lock_timeout = '200ms'")


def _attach_again(conn: Connection, partition: Partition) -> None:
    if not _is_attached(conn, partition):
        attach_partition(conn, partition.table, partition.day)


def _detach(conn: Connection, partition: Partition, patience_seconds: float) -> None:
    how = sql.SQL("FINALIZE" if partition.detaching else "CONCURRENTLY")
    statement = sql.SQL("ALTER TABLE {} DETACH PARTITION {} {}").format(
        sql.Identifier(partition.table), sql.Identifier(partition.name), how
    )
    # Above the patience of the connection, which may be shorter or none.
    before = conn.execute("SHOW statement_timeout").fetchone()
    set_for_session(conn, {"statement_timeout": f"{patience_seconds * 1000:.0f}ms"})
    try:
        conn.execute(statement)
    except (errors.QueryCanceled, errors.LockNotAvailable) as error:
        raise StillRead(partition.name) from error
    finally:
        set_for_session(conn, {"statement_timeout": before[0] if before else "0"})


def _is_attached(conn: Connection, partition: Partition) -> bool:
    row = conn.execute("SELECT relispartition FROM pg_class WHERE oid = to_regclass(%s)", [partition.name]).fetchone()
    return bool(row and row[0])
