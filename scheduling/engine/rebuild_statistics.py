"""rebuild_statistics: what the charts show is computed anew from the history, while work goes on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from scheduling.db import Connection, sql_file
from scheduling.engine.fold_statistics import STATISTICS_LOCK

_REBUILD = Path(__file__).parent / "sql" / "rebuild_statistics.sql"

_EMPTY = (
    "DELETE FROM rota_stat_delta WHERE hour >= %(since)s",
    "DELETE FROM rota_stat_hour WHERE hour >= %(since)s",
    "DELETE FROM rota_stat_day WHERE day >= %(since)s",
    # Schedulers make these anew from the others.
    "DELETE FROM rota_stat_sum",
    "DELETE FROM rota_stat_window",
)


def rebuild_statistics(conn: Connection, lock: Connection, *, since: datetime) -> int:
    """Compute the statistics of everything that ended at ``since`` or later anew; return how many ends there were.

    ``since`` must be the beginning of a day (UTC). Both connections must be in autocommit; ``lock`` keeps schedulers
    from folding meanwhile, and waits for one that is at it. Nothing is locked that work needs, and an end that comes
    meanwhile counts once. What ended after ``since`` and belongs to a day that was dropped is not counted.
    """
    with lock.transaction():
        # In a transaction of its own: the snapshot below must be taken after the lock was granted.
        lock.execute("SELECT pg_advisory_xact_lock(%s)", [STATISTICS_LOCK])
        # It idles for as long as a long history takes to count; a lock that is lost meanwhile protects nothing.
        lock.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for statement in _EMPTY:
                conn.execute(statement, {"since": since})
            row = conn.execute(sql_file(_REBUILD), {"since": since}).fetchone()
    return row[0] if row else 0
