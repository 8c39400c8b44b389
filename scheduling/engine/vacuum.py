"""vacuum: the small tables that the hot path reads are cleaned before autovacuum comes by."""

from __future__ import annotations

from psycopg import sql

from scheduling.db import Connection

#: Their rows die young, and the hot path walks past them. Autovacuum comes once a minute, and its workers may be busy
#: on large tables for hours.
CHURNED = ("rota_queue_entry", "rota_task_clock", "rota_stat_delta")

#: From so many dead rows on.
MOST_DEAD = 5000

#: Whether there is such a table, as an SQL expression; it reads counters, no table.
SOME_ARE_LATE = " OR ".join(f"pg_stat_get_dead_tuples(to_regclass('{name}')) > {MOST_DEAD}" for name in CHURNED)

_LATE = """
SELECT relname FROM pg_stat_user_tables
WHERE relid = ANY(ARRAY(SELECT to_regclass(name) FROM unnest(%(names)s::text[]) AS name)) AND n_dead_tup > %(most)s
ORDER BY relname
"""


def late_tables(conn: Connection, *, most_dead: int = MOST_DEAD) -> list[str]:
    """Return the names of the churned tables that hold more than ``most_dead`` dead rows, as far as counted."""
    return [row[0] for row in conn.execute(_LATE, {"names": list(CHURNED), "most": most_dead}).fetchall()]


def vacuum_tables(conn: Connection, names: list[str]) -> None:
    """Vacuum the tables ``names``; one that is being vacuumed already is left alone. ``conn`` must be in autocommit.

    The indexes are cleaned however few pages hold dead rows, because it is there that they are in the way; and the
    empty end of a table stays, because giving it back takes a lock that claims would wait for.
    """
    for name in names:
        statement = sql.SQL("VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON, TRUNCATE OFF) {}")
        conn.execute(statement.format(sql.Identifier(name)))
