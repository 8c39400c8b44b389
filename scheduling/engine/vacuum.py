"""vacuum: the small tables that the hot path reads are cleaned when autovacuum is late."""

from __future__ import annotations

from psycopg import sql

from scheduling.db import Connection

#: Their rows die young. Autovacuum knows that, but its workers may be busy on large tables for hours.
CHURNED = ("rota_queue_entry", "rota_task_clock", "rota_stat_delta")

#: From so many dead rows on.
MOST_DEAD = 5000

_LATE = """
SELECT relname FROM pg_stat_user_tables
WHERE relid = ANY(ARRAY(SELECT to_regclass(name) FROM unnest(%(names)s::text[]) AS name)) AND n_dead_tup > %(most)s
ORDER BY relname
"""


def late_tables(conn: Connection, *, most_dead: int = MOST_DEAD) -> list[str]:
    """Return the names of the churned tables that hold more than ``most_dead`` dead rows, as far as counted."""
    return [row[0] for row in conn.execute(_LATE, {"names": list(CHURNED), "most": most_dead}).fetchall()]


def vacuum_tables(conn: Connection, names: list[str]) -> None:
    """Vacuum the tables ``names``; one that is being vacuumed already is left alone. ``conn`` must be in autocommit."""
    for name in names:
        conn.execute(sql.SQL("VACUUM (SKIP_LOCKED) {}").format(sql.Identifier(name)))
