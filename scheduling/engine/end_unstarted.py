"""end_unstarted: the final state of instances that leave the queue without a (further) execution."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from scheduling.db import Connection, sql_file
from scheduling.domain.states import InstanceState

_END = Path(__file__).parent / "sql" / "end_unstarted.sql"


def end_unstarted(
    conn: Connection,
    rows: Sequence[tuple[int, datetime]],
    *,
    outcome: InstanceState,
    reason: str,
    message: str,
) -> None:
    """End the instances in ``rows``, pairs of (id, scheduled_for), that have no outcome yet.

    The caller has deleted their queue entries in the same transaction.
    """
    if not rows:
        return
    moments = [moment for _, moment in rows]
    conn.execute(
        sql_file(_END),
        {
            "ids": [instance_id for instance_id, _ in rows],
            "scheduled_for": moments,
            "outcome": outcome.value,
            "reason": reason,
            "message": message,
            "lo": min(moments),
            "hi": max(moments),
        },
    )
