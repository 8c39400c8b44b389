"""give_back: claimed work that was not started returns to the queue unharmed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scheduling.db import Connection, sql_file
from workers.engine.claim import Claimed

_GIVE_BACK = Path(__file__).parent / "sql" / "give_back.sql"


def give_back(conn: Connection, claims: Sequence[Claimed]) -> set[str]:
    """Return ``claims`` to the queue, with no trace of an attempt; return the queues that got something.

    A claim whose lease was lost meanwhile is left alone.
    """
    if not claims:
        return set()
    moments = [claimed.scheduled_for for claimed in claims]
    rows = conn.execute(
        sql_file(_GIVE_BACK),
        {
            "instance_ids": [claimed.instance_id for claimed in claims],
            "lease_ids": [claimed.lease_id for claimed in claims],
            "lo": min(moments),
            "hi": max(moments),
        },
    ).fetchall()
    return {row[0] for row in rows}
