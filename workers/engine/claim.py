"""claim: ready instances become running ones, with a lease each, for exactly one worker."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from scheduling.db import Connection, sql_file
from scheduling.kept_plans import by_index

_CLAIM = Path(__file__).parent / "sql" / "claim.sql"


class Place(NamedTuple):
    """A place in the order in which instances are claimed."""

    sort_key: datetime
    instance_id: int = 0


# Not frozen: one is made for each job, and a frozen one takes three times as long.
@dataclass(slots=True)
class Claimed:
    """One leased instance. The fields stand in the order of the statement's columns."""

    instance_id: int
    #: The id of the execution; every report must show it.
    lease_id: int
    scheduled_for: datetime
    namespace_id: int
    task_id: int
    task_version: int
    handler: str
    #: Counted from 1, losses and postponed ones included; `attempts_of_its_own` leaves them out.
    attempt: int
    losses: int
    #: How many attempts asked to be tried later.
    postponed: int
    max_attempts: int
    timeout_seconds: int | None
    own_params: bool
    sort_key: datetime

    @property
    def attempts_of_its_own(self) -> int:
        """The attempts that count against `max_attempts`, this one included."""
        return self.attempt - self.losses - self.postponed


def claim(
    conn: Connection,
    *,
    node_id: int,
    incarnation: int,
    queues: Collection[str],
    handlers: Collection[str],
    slots: int,
    since: Place | None = None,
) -> list[Claimed]:
    """Claim up to ``slots`` ready instances of ``queues`` that one of ``handlers`` can run; first come first.

    Each claim writes an execution, so that there is evidence should this worker vanish. A node that was
    taken over by a newer incarnation, or drains, gets nothing. With ``since`` it looks from that place on; what lies
    before it has to be looked for by another claim, soon. The instances are returned in their order.
    """
    if slots <= 0 or not queues or not handlers:
        return []
    lanes = [(queue, handler) for queue in queues for handler in handlers]
    with by_index(conn):
        rows = conn.execute(
            sql_file(_CLAIM),
            {
                "since": since.sort_key if since else None,
                "since_id": since.instance_id if since else 0,
                "node_id": node_id,
                "incarnation": incarnation,
                "queues": [queue for queue, _ in lanes],
                "handlers": [handler for _, handler in lanes],
                "slots": slots,
            },
            prepare=True,
        ).fetchall()
    return [Claimed(*row) for row in rows]
