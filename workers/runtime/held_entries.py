"""Entries that somebody outside holds locked, and how the writer gets around them.

A psql session that was left in the middle of a transaction must hold up the result of the entry that it has locked,
and no other.
"""

from __future__ import annotations

from collections.abc import Collection

from scheduling.db import Connection

#: No statement of the writer waits longer for somebody else's lock.
LOCK_TIMEOUT = "SET lock_timeout = '1s'"

#: How often (seconds) held entries are tried again.
AGAIN_SECONDS = 1.0

_HELD = """
WITH free AS MATERIALIZED (
    SELECT instance_id FROM rota_queue_entry
    WHERE instance_id = ANY(%(ids)s) ORDER BY instance_id FOR UPDATE SKIP LOCKED
)
SELECT instance_id FROM rota_queue_entry
WHERE instance_id = ANY(%(ids)s) AND instance_id NOT IN (SELECT instance_id FROM free)
"""


def held_among(conn: Connection, instance_ids: Collection[int]) -> set[int]:
    """Return those of ``instance_ids`` whose entry is locked by another transaction at this moment; never waits."""
    if not instance_ids:
        return set()
    return {row[0] for row in conn.execute(_HELD, {"ids": list(instance_ids)}).fetchall()}
