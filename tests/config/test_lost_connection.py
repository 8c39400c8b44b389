"""A connection that breaks in the middle of a command is told in a sentence, not by a traceback."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from config.database.errors import explain
from config.database.settings import database_config
from scheduling.db import Connection, own_connection


def test_a_session_that_the_server_ends_is_explained(conn: Connection, tmp_path: Path) -> None:
    settings = database_config("postgresql://rota@localhost/rota", tmp_path)
    lost = own_connection("test")
    conn.execute("SELECT pg_terminate_backend(%s)", [lost.info.backend_pid])
    with pytest.raises(psycopg.OperationalError) as cut:
        lost.execute("SELECT 1")
    said = explain(cut.value, settings)
    assert said is not None
    assert said.startswith('PostgreSQL at localhost:5432 (database "rota", user "rota") ended the connection: ')
    assert said.endswith("Run the command again.")
    lost.close()


def test_a_statement_that_was_cancelled_is_no_lost_connection(conn: Connection, tmp_path: Path) -> None:
    settings = database_config("postgresql://rota@localhost/rota", tmp_path)
    conn.execute("SET statement_timeout = 1")
    with pytest.raises(psycopg.errors.QueryCanceled) as cancelled:
        conn.execute("SELECT pg_sleep(60)")
    assert explain(cancelled.value, settings) is None
