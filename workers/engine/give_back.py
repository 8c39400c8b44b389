"""give_back: claimed work that was not started returns to the queue unharmed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from scheduling.db import Connection, sql_file
from workers.engine.claim import Claimed

_GIVE_BACK = Path(__file__).parent / "sql" / "give_back.sql"


_FORGOTTEN = """
SELECT instance_id, lease_id, scheduled_for FROM rota_queue_entry
WHERE holder = %(incarnation)s AND state = 1 AND lease_id <> ALL(%(known)s::bigint[])
"""


def give_back(conn: Connection, claims: Sequence[Claimed]) -> set[str]:
    """Return ``claims`` to the queue, with no trace of an attempt; return the queues that got something.

    A claim whose lease was lost meanwhile is left alone.
    """
    return _give_back(conn, [(each.instance_id, each.lease_id, each.scheduled_for) for each in claims])


def give_back_forgotten(conn: Connection, *, incarnation: int, known: Collection[int]) -> set[str]:
    """Return what ``incarnation`` holds and does not know of: all its leases but ``known``.

    For a worker that may have missed the answer to a claim. Returns the queues that got something.
    """
    rows = conn.execute(_FORGOTTEN, {"incarnation": incarnation, "known": list(known)}).fetchall()
    return _give_back(conn, rows)


def _give_back(conn: Connection, leases: Sequence[tuple[int, int, datetime]]) -> set[str]:
    if not leases:
        return set()
    moments = [scheduled_for for _, _, scheduled_for in leases]
    rows = conn.execute(
        sql_file(_GIVE_BACK),
        {
            "instance_ids": [instance_id for instance_id, _, _ in leases],
            "lease_ids": [lease_id for _, lease_id, _ in leases],
            "lo": min(moments),
            "hi": max(moments),
        },
    ).fetchall()
    return {row[0] for row in rows}
