"""The advisory locks of admission: whoever counts a gate or a pool is alone with it."""

from __future__ import annotations

from collections.abc import Iterable

from scheduling.db import Connection, array_of_integers

#: The classes of the locks; a number made from the gate or the pool is the other half.
GATES, POOLS = 0x41444D54, 0x41444D50

# The array is in order, and so is the taking. The settings are for the statement that comes next: a planner that takes
# the queue for short, since it was when it was last analysed, would read and sort all that waits to find its head.
_LOCK = """
WITH planner AS MATERIALIZED (
    SELECT count(set_config(name, 'off', true)) FROM unnest(%s::text[]) AS name
)
SELECT pg_advisory_xact_lock(%s, k) FROM planner CROSS JOIN unnest(%s::int[]) AS v (k)
"""

_BY_INDEX = "{enable_bitmapscan,enable_seqscan}"
#: And each row looked up by itself: for a plan that is kept, and would join whole tables if it was made while they were
#: small.
_ROW_BY_ROW = "{enable_bitmapscan,enable_seqscan,enable_hashjoin,enable_mergejoin}"


def lock_gates(conn: Connection, gates: Iterable[int], *, row_by_row: bool = False) -> None:
    """Lock ``gates`` until the end of the transaction, in an order that is the same for everybody.

    For what comes after it in the transaction, the planner does without whole reads; ``row_by_row``: also without
    joins of whole tables.
    """
    _lock(conn, GATES, gates, _ROW_BY_ROW if row_by_row else _BY_INDEX)


def lock_pools(conn: Connection, pools: Iterable[int]) -> None:
    """Lock ``pools`` until the end of the transaction, in an order that is the same for everybody."""
    _lock(conn, POOLS, pools, _BY_INDEX)


def _lock(conn: Connection, kind: int, numbers: Iterable[int], planner: str) -> None:
    # Two that fold to the same key share a lock, which costs a moment and nothing else. The order is that of the keys.
    keys = array_of_integers(sorted({_folded(number) for number in numbers}))
    conn.execute(_LOCK, [planner, kind, keys], prepare=True)


def _folded(number: int) -> int:
    """Fold 64 bits to the signed 32 that a lock's second half has."""
    low = (number ^ (number >> 32)) & 0xFFFFFFFF
    return low - 0x100000000 if low >= 0x80000000 else low
