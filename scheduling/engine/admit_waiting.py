"""admit_waiting, admit_freed: find the gates and pools at which something waits, and admit there."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from scheduling.db import Connection, array_of_integers, sql_file
from scheduling.engine.admit import Admitted, admit
from scheduling.kept_plans import keeps_plans

_GATES = Path(__file__).parent / "sql" / "waiting_gates.sql"
_POOLS = Path(__file__).parent / "sql" / "waiting_pools.sql"

# OFFSET keeps the planner from walking through all that waits, which is cheap only while there is little.
_WAITED_FOR = """
SELECT false, v.id FROM unnest(%(gates)s::bigint[]) AS v (id)
WHERE EXISTS (SELECT FROM rota_queue_entry e WHERE e.gate = v.id AND e.state = 2 OFFSET 0)
UNION ALL
SELECT true, v.id FROM unnest(%(pools)s::int[]) AS v (id)
WHERE EXISTS (SELECT FROM rota_queue_entry e WHERE e.pool_id = v.id AND e.state = 5 OFFSET 0)
"""


#: True while something waits at a gate or for a pool, as an SQL expression.
WAITS: Final = (
    "EXISTS (SELECT FROM rota_queue_entry WHERE state = 2) OR EXISTS (SELECT FROM rota_queue_entry WHERE state = 5)"
)


def admit_waiting(conn: Connection) -> Admitted:
    """Admit wherever something waits: for limits that were edited, and after a process that died before it did."""
    gates = [row[0] for row in conn.execute(sql_file(_GATES)).fetchall()]
    pools = [row[0] for row in conn.execute(sql_file(_POOLS)).fetchall()]
    return admit(conn, gates, pools)


def admit_freed(conn: Connection, gates: Collection[int], pools: Collection[int] = ()) -> Admitted:
    """Admit at those of ``gates`` and ``pools`` at which something waits; for whoever has just made room.

    What is inserted afterwards is admitted by whoever inserts it, who sees this room.
    """
    if not gates and not pools:
        return Admitted()
    asked = {"gates": array_of_integers(gates), "pools": array_of_integers(pools)}
    rows = conn.execute(_WAITED_FOR, asked, prepare=keeps_plans(conn)).fetchall()
    return admit(
        conn, [number for is_pool, number in rows if not is_pool], [number for is_pool, number in rows if is_pool]
    )
