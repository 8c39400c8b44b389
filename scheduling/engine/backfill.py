"""advance_backfills: running backfills turn their next ticks into instances, a handful ahead of what has run.

What is left to do is in the rows: how many ticks have become instances, and which of these have ended. So a scheduler
may die at any point, and another one goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from scheduling.db import Connection, sql_file
from scheduling.engine.partitions import create_partitions, days_of, forget_known_partitions, is_missing_partition

_ADVANCE = Path(__file__).parent / "sql" / "advance_backfill.sql"

#: So many instances of a backfill wait at most. Admission lets them through the moment that there is room; more are
#: made with the next round.
AHEAD = 200

_RUNNING = """
SELECT b.id, b.created_count, b.ticks[b.created_count + 1 : b.created_count + %(ahead)s - w.count], w.live
FROM rota_backfill b CROSS JOIN LATERAL (
    SELECT count(*) AS live, (count(*) FILTER (WHERE e.state = 2))::int AS count
    FROM rota_queue_entry e WHERE e.task_id = b.task_id AND e.backfill_id = b.id
) w
WHERE b.state = 'running' ORDER BY b.id
"""

# Asked again in the statement that ends it: what was live is seen by the snapshot that also sees the count.
_FINISH = """
UPDATE rota_backfill b SET state = 'finished', finished_at = clock_timestamp()
WHERE b.id = %(id)s AND b.state = 'running' AND b.created_count >= b.total
    AND NOT EXISTS (SELECT FROM rota_queue_entry e WHERE e.task_id = b.task_id AND e.backfill_id = b.id)
"""


@dataclass(kw_only=True, slots=True)
class Advanced:
    """What one call of `advance_backfills` did."""

    created: int = 0
    finished: int = 0
    #: Backfills that have something left to do.
    running: int = 0
    #: Gates at which new entries wait for admission.
    gates: set[int] = field(default_factory=set)


def advance_backfills(conn: Connection) -> Advanced:
    """Make the next instances of every running backfill, and end those that are through.

    Any number of schedulers may do it at once: each step is won by compare-and-set. Days without a partition get
    one. ``conn`` must be in autocommit, outside a transaction.
    """
    advanced = Advanced()
    for backfill_id, created, ticks, live in conn.execute(_RUNNING, {"ahead": AHEAD}).fetchall():
        if ticks:
            params = {"id": backfill_id, "expect": created, "ticks": ticks}
            create_partitions(conn, days_of(ticks))
            try:
                row = conn.execute(sql_file(_ADVANCE), params).fetchone()
            except psycopg.errors.CheckViolation as error:
                if not is_missing_partition(error):
                    raise
                # Somebody dropped a day that this process remembers.
                forget_known_partitions()
                create_partitions(conn, days_of(ticks))
                row = conn.execute(sql_file(_ADVANCE), params).fetchone()
            if row is not None:
                advanced.gates.add(row[0])
                advanced.created += row[1]
            advanced.running += 1
        elif live == 0 and conn.execute(_FINISH, {"id": backfill_id}).rowcount:
            advanced.finished += 1
        else:
            advanced.running += 1
    return advanced
