"""heartbeat: one sign of life for a whole worker; the answer carries cancel requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg.types.json import Jsonb

from scheduling.db import Connection, sql_file
from workers.domain.states import NodeState

_HEARTBEAT = Path(__file__).parent / "sql" / "heartbeat.sql"


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """The answer to a heartbeat."""

    #: `draining` when somebody asked for it.
    state: NodeState
    #: Leases whose work shall stop, within its grace.
    cancel: frozenset[int]
    #: Leases whose work shall stop without a grace.
    kill: frozenset[int]


def heartbeat(
    conn: Connection,
    *,
    node_id: int,
    incarnation: int,
    state: NodeState,
    busy: int,
    counts: Mapping[str, int] | None = None,
    machine: Mapping[str, float] | None = None,
) -> Heard | None:
    """Renew the leases of a worker; None when a newer incarnation has taken the node.

    ``counts`` is what the worker has done since it started, by name, and ``machine`` how its machine does;
    None leaves what was said before.
    A worker that hears None has lost its leases: it must stop what it runs and register anew.
    """
    row = conn.execute(
        sql_file(_HEARTBEAT),
        {
            "node_id": node_id,
            "incarnation": incarnation,
            "state": state.value,
            "busy": busy,
            "counts": Jsonb(dict(counts)) if counts is not None else None,
            "machine": Jsonb(dict(machine)) if machine is not None else None,
        },
    ).fetchone()
    if row is None:
        return None
    return Heard(state=NodeState(row[0]), cancel=frozenset(row[1]), kill=frozenset(row[2]))
