"""watch_log: who watches says so, and a worker asks whether anybody does."""

from __future__ import annotations

from collections.abc import Collection

from scheduling.db import Connection, array_of_integers

#: A watch holds for so long (seconds) and is renewed three times as often.
WATCH_SECONDS = 30.0

#: The statement of whoever watches: takes `execution` and `seconds`, and locks one row. What is over goes with it,
#: unless somebody else is at it.
RENEW_WATCH = b"""
WITH over AS (
    DELETE FROM rota_log_watch WHERE execution_id IN (
        SELECT execution_id FROM rota_log_watch
        WHERE until < clock_timestamp() AND execution_id <> %(execution)s
        ORDER BY execution_id LIMIT 1000 FOR UPDATE SKIP LOCKED)
)
INSERT INTO rota_log_watch (execution_id, until)
VALUES (%(execution)s, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (execution_id) DO UPDATE SET until = excluded.until
"""

_WATCHED = """
SELECT execution_id FROM rota_log_watch WHERE execution_id = ANY(%s::bigint[]) AND until > clock_timestamp()
"""


def log_group(execution_id: int) -> str:
    """Return the name of the group that hears pushes about this execution's log."""
    return f"log.{execution_id}"


def watched(conn: Connection, execution_ids: Collection[int]) -> set[int]:
    """Return those of ``execution_ids`` whose logs somebody watches."""
    rows = conn.execute(_WATCHED, [array_of_integers(execution_ids)]).fetchall()
    return {row[0] for row in rows}
