"""Connections whose hot statements are planned once: by index, whatever the statistics say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from weakref import WeakSet

import psycopg

from scheduling.db import Connection, own_connection

#: What kept plans do without, where there is an index.
_NEVER = ["enable_seqscan", "enable_bitmapscan"]
_SET = "SELECT set_config(name, %s, false) FROM unnest(%s::text[]) AS name"
_SET_LOCAL = "SELECT set_config(name, 'off', true) FROM unnest(%s::text[]) AS name"

_by_index: WeakSet[Connection] = WeakSet()


def keeping_connection(purpose: str) -> Connection:
    """Open a connection on which statements that ask for it (``prepare=True``) are planned once, for any values.

    A plan that is made while the queue is empty must not be one that reads all of it, so nothing on this connection is
    read whole. Behind a pooler nothing is kept, see `own_connection`, and its sessions, which are others' as well, stay
    as they are.
    """
    conn = own_connection(purpose, prepares=True)
    if conn.prepare_threshold is not None:
        conn.execute(_SET, ["off", _NEVER])
        _by_index.add(conn)
    return conn


def keeps_plans(conn: Connection) -> bool:
    """Tell whether a statement that asks for it is planned once on ``conn``."""
    return conn in _by_index


@contextmanager
def planned_freely(conn: Connection) -> Iterator[None]:
    """Let the planner choose as it likes within, for statements that are planned for their values each time."""
    if conn not in _by_index:
        yield
        return
    conn.execute(_SET, ["on", _NEVER])
    try:
        yield
    finally:
        # When it does not answer there will be another connection.
        with suppress(psycopg.Error):
            conn.execute(_SET, ["off", _NEVER])


@contextmanager
def by_index(conn: Connection) -> Iterator[None]:
    """Have statements within look rows up by index, whatever the statistics say, also where no plan is kept.

    There it takes a transaction, because the session is not ours to change.
    """
    if conn in _by_index:
        yield
        return
    with conn.transaction():
        conn.execute(_SET_LOCAL, [_NEVER])
        yield
