"""A process that stands still in the middle of a transaction holds up nobody for ever."""

from __future__ import annotations

import psycopg
import pytest

from scheduling.db import Connection, own_connection
from scheduling.engine.admission_lock import lock_gates
from tests.factories import make_task


def test_a_loop_that_stands_still_while_it_admits_loses_its_session_and_with_it_the_gate(conn: Connection) -> None:
    task = make_task()
    frozen = own_connection("test frozen", statement_timeout_seconds=2)
    frozen.execute("BEGIN")
    lock_gates(frozen, [task.pk])
    # It waits, as everybody does who comes to the gate, until the server has ended the other's session.
    with conn.transaction():
        lock_gates(conn, [task.pk])
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        frozen.execute("SELECT 1")
    frozen.close()


def test_work_that_may_take_any_time_is_not_limited(conn: Connection) -> None:
    with own_connection("test", statement_timeout_seconds=0) as patient:
        shown = patient.execute(
            "SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()
    assert shown == ("0", "0")
