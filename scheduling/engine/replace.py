"""replace: the newest instance takes the place of the oldest at its gate, where the overlap rule says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scheduling.db import Connection, sql_file
from scheduling.domain.states import EntryState, InstanceState, Reason
from scheduling.engine.end_unstarted import end_unstarted

_REPLACE = Path(__file__).parent / "sql" / "replace.sql"

_MESSAGE = "The newer instance %s took its place."


@dataclass(frozen=True, kw_only=True, slots=True)
class Newcomer:
    """An instance that waits as the first at its gate, and for which room is to be made."""

    gate: int
    instance_id: int
    #: How many its task lets through the gate at once.
    most: int
    #: Whether what runs gets no grace.
    kill: bool


@dataclass(kw_only=True, slots=True)
class Replaced:
    """What one call of `replace` did."""

    #: How many had not started, and have ended.
    ended: int = 0
    #: How many run, and were asked to stop.
    asked: int = 0
    #: Gates that have room now.
    freed: set[int] = field(default_factory=set)
    #: Pools that have room now.
    pools: set[int] = field(default_factory=set)
    #: Gates with an entry that somebody else held at that moment; look again.
    contended: set[int] = field(default_factory=set)


def replace(conn: Connection, newcomers: Sequence[Newcomer]) -> Replaced:
    """End, or ask to stop, as many of the oldest at each newcomer's gate as are in its way, and no more.

    Those that were asked before count as gone. The caller holds the locks of the gates, in this transaction.
    """
    replaced = Replaced()
    if not newcomers:
        return replaced
    rows = conn.execute(
        sql_file(_REPLACE),
        {
            "gates": [each.gate for each in newcomers],
            "newcomers": [each.instance_id for each in newcomers],
            "most": [each.most for each in newcomers],
            "kill": [each.kill for each in newcomers],
            "reason": Reason.REPLACED.value,
            "message": _MESSAGE,
        },
    ).fetchall()
    ended: dict[int, list[tuple[int, datetime]]] = {}
    for gate, newcomer, instance_id, scheduled_for, state, pool_id in rows:
        if state is None:
            replaced.contended.add(gate)
        elif state == EntryState.RUNNING:
            replaced.asked += 1
        else:
            ended.setdefault(newcomer, []).append((instance_id, scheduled_for))
            replaced.ended += 1
            replaced.freed.add(gate)
            if pool_id is not None:
                replaced.pools.add(pool_id)
    for newcomer, leaving in ended.items():
        end_unstarted(
            conn, leaving, outcome=InstanceState.CANCELLED, reason=Reason.REPLACED, message=_MESSAGE % newcomer
        )
    return replaced
