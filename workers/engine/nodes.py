"""nodes: a worker takes a node's name, and leaves it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from scheduling.db import Connection
from workers.conf import conf
from workers.exceptions import NodeNameTaken

_REGISTER = """
INSERT INTO rota_node (name, host, pid, incarnation, state, queues, handlers, known_handlers, slots, busy, version,
    started_at, last_seen_at)
VALUES (%(name)s, %(host)s, %(pid)s, nextval('rota_incarnation_seq'), 'online', %(queues)s, %(handlers)s,
    %(known_handlers)s, %(slots)s, 0, %(version)s, clock_timestamp(), clock_timestamp())
ON CONFLICT (name) DO UPDATE SET host = excluded.host, pid = excluded.pid, incarnation = excluded.incarnation,
    state = CASE WHEN rota_node.held_at IS NULL THEN 'online' ELSE 'draining' END, counts = '{}', machine = '{}',
    queues = excluded.queues, handlers = excluded.handlers,
    known_handlers = excluded.known_handlers, slots = excluded.slots, busy = 0, version = excluded.version,
    started_at = excluded.started_at, last_seen_at = excluded.last_seen_at
RETURNING id, incarnation, held_at, held_by, held_reason
"""

_HOLDER = """
SELECT incarnation, host, pid, state <> 'stopped' AND last_seen_at > clock_timestamp() - make_interval(secs => %s)
FROM rota_node WHERE name = %s FOR UPDATE
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Since when, by whom and why a node takes no work."""

    since: datetime
    by: str
    reason: str


#: Serialises registrations, so that two workers that start at once do not take the same name.
_REGISTRATION_LOCK = 0x4E4F4445


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """A worker's right to speak for a node."""

    node_id: int
    name: str
    incarnation: int
    #: The incarnation that held the name before; its leases can be ended at once.
    predecessor: int | None
    #: Not None: somebody has drained the node; it claims nothing until it is resumed.
    held: Held | None = None


def register(
    conn: Connection,
    *,
    name: str,
    host: str,
    pid: int,
    queues: Collection[str],
    handlers: Collection[str],
    known_handlers: Collection[str],
    slots: int,
    version: str,
    same_process_is_gone: bool = False,
) -> Registration:
    """Take the node ``name`` for this worker and draw an incarnation.

    Raises NodeNameTaken while another worker holds the name and is alive. ``same_process_is_gone`` tells that
    the caller looked for the process that the node names, on this very host, and found none: then its
    heartbeat, however fresh, counts for nothing.
    """
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [_REGISTRATION_LOCK])
        held = conn.execute(_HOLDER, [conf().lease_seconds, name]).fetchone()
        if held is not None:
            _, held_host, held_pid, alive = held
            if alive and not (held_host == host and same_process_is_gone):
                raise NodeNameTaken(name=name, host=held_host, pid=held_pid)
        row = conn.execute(
            _REGISTER,
            {
                "name": name,
                "host": host,
                "pid": pid,
                "queues": sorted(queues),
                "handlers": sorted(handlers),
                "known_handlers": sorted(known_handlers),
                "slots": slots,
                "version": version,
            },
        ).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING has a row
    return Registration(
        node_id=row[0],
        name=name,
        incarnation=row[1],
        predecessor=held[0] if held is not None else None,
        held=Held(since=row[2], by=row[3], reason=row[4]) if row[2] is not None else None,
    )


def holder_of(conn: Connection, name: str) -> tuple[str, int] | None:
    """Return (host, pid) of the worker that registered ``name`` last, if the node exists."""
    row = conn.execute("SELECT host, pid FROM rota_node WHERE name = %s", [name]).fetchone()
    return (row[0], row[1]) if row else None


def leave(conn: Connection, *, node_id: int, incarnation: int) -> None:
    """Mark the node as stopped in order, if it is still this incarnation's."""
    conn.execute(
        "UPDATE rota_node SET state = 'stopped', busy = 0, last_seen_at = clock_timestamp() "
        "WHERE id = %s AND incarnation = %s",
        [node_id, incarnation],
    )
