"""admit_to_pools: the second station of admission, where entries of several tasks share so many slots."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from scheduling.db import Connection, sql_file
from scheduling.engine.admission_lock import lock_pools

_ADMIT = Path(__file__).parent / "sql" / "admit_to_pools.sql"

#: So many pools are decided in one transaction.
CHUNK = 500


def admit_to_pools(conn: Connection, pools: Collection[int]) -> tuple[int, set[str]]:
    """Make ready what waits for room in ``pools``, as far as there is some; return how many, and their queues.

    Lock and count are two statements, as they are at the gates. ``conn`` must be in autocommit, outside a transaction.
    """
    ready, queues = 0, set[str]()
    ordered = sorted(pools)
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        while chunk:
            with conn.transaction():
                lock_pools(conn, chunk)
                rows = conn.execute(sql_file(_ADMIT), {"pool_ids": chunk}).fetchall()
            for _, names, count, _ in rows:
                ready += count
                queues.update(names)
            chunk = sorted(pool for pool, _, _, more in rows if more)
    return ready, queues
