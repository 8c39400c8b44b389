"""hold: keep a node from taking work, and let it go on."""

from __future__ import annotations

from dataclasses import dataclass

from scheduling.db import Connection

# The state is the worker's own word, and the claim looks at it: from here on nothing is claimed.
_HOLD = """
UPDATE rota_node SET held_at = coalesce(held_at, clock_timestamp()),
    held_by = CASE WHEN held_at IS NULL THEN %(by)s ELSE held_by END,
    held_reason = CASE WHEN held_at IS NULL OR %(reason)s <> '' THEN %(reason)s ELSE held_reason END,
    state = CASE WHEN state = 'online' THEN 'draining' ELSE state END
WHERE name = %(name)s
RETURNING id
"""

# A worker that is draining for good says so again with its next heartbeat; until then it claims nothing by itself.
_RELEASE = """
UPDATE rota_node SET held_at = NULL, held_by = '', held_reason = '',
    state = CASE WHEN state = 'draining' THEN 'online' ELSE state END
WHERE name = %s AND held_at IS NOT NULL
RETURNING id
"""

_LOAD = """
SELECT n.incarnation, n.state, n.held_at IS NOT NULL,
    n.last_seen_at > clock_timestamp() - make_interval(secs => %(lease)s),
    (SELECT count(*) FROM rota_queue_entry e WHERE e.holder = coalesce(%(incarnation)s, n.incarnation) AND e.state = 1)
FROM rota_node n WHERE n.name = %(name)s
"""


@dataclass(frozen=True, slots=True)
class Load:
    """How a node stands. The fields stand in the order of the statement's columns."""

    incarnation: int
    state: str
    held: bool
    #: Whether its worker was heard of within a lease.
    heard_of: bool
    #: How many leases the worker that was asked about still holds.
    leases: int


def hold(conn: Connection, *, name: str, by: str, reason: str = "") -> bool:
    """Keep the node ``name`` from taking work until `release`; False when there is no such node.

    Its worker hears it with the next heartbeat, drains and ends; one that starts under this name claims nothing.
    A node that is held already stays held since when and by whom it was; a new ``reason`` replaces the old one.
    """
    return conn.execute(_HOLD, {"name": name, "by": by, "reason": reason}).rowcount > 0


def release(conn: Connection, *, name: str) -> bool:
    """Let the node ``name`` take work again; False when there is no such node, or it was not held."""
    return conn.execute(_RELEASE, [name]).rowcount > 0


def load_of(conn: Connection, *, name: str, lease_seconds: float, incarnation: int | None = None) -> Load | None:
    """Return how the node stands, and how many leases its worker, or the one called ``incarnation``, holds."""
    row = conn.execute(_LOAD, {"name": name, "lease": lease_seconds, "incarnation": incarnation}).fetchone()
    return Load(*row) if row is not None else None
