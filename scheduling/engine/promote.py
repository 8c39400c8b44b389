"""promote: entries that waited for a moment, a planned run or a retry, go on when it has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scheduling.db import Connection, sql_file
from scheduling.domain.states import EntryState

_PROMOTE = Path(__file__).parent / "sql" / "promote.sql"

_NEXT = "SELECT min(run_at) FROM rota_queue_entry WHERE state IN (3, 4)"


@dataclass(kw_only=True, slots=True)
class Promoted:
    """What one call of `promote` did."""

    count: int = 0
    queues: set[str] = field(default_factory=set)
    #: Gates at which entries now wait for admission.
    gates: set[int] = field(default_factory=set)


def promote(conn: Connection, *, limit: int = 500) -> Promoted:
    """Move up to ``limit`` due entries on; return what became ready and what waits for admission."""
    promoted = Promoted()
    for gate, queue, state in conn.execute(sql_file(_PROMOTE), {"limit": limit}).fetchall():
        promoted.count += 1
        if state == EntryState.WAITING:
            promoted.gates.add(gate)
        else:
            promoted.queues.add(queue)
    return promoted


def next_promotion(conn: Connection) -> datetime | None:
    """Return the moment at which the next planned or delayed entry becomes due, if there is one."""
    row = conn.execute(_NEXT).fetchone()
    return row[0] if row else None
