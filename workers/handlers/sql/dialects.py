"""What differs between databases: limits on the server's side, read-only transactions, and cancelling."""

import contextlib
import math
from typing import Any

from sqlalchemy import Connection, Engine, text

#: How much later than we ourselves the server gives up: it is there for the case that this worker cannot.
SERVER_SLACK_SECONDS = 0.5
#: How long a cancel request may take to be delivered.
CANCEL_SECONDS = 5.0


def prepare(connection: Connection, *, read_only: bool, seconds: float | None) -> None:
    """Make the transaction that begins now read-only, and limit how long the server works for it.

    ``seconds`` is the time that is left, or None. Where a database has no such setting, the worker's own
    watch is the only limit.
    """
    match connection.dialect.name:
        case "postgresql":
            if read_only:
                connection.execute(text("SET TRANSACTION READ ONLY"))
            if seconds is not None:
                statement = text("SELECT set_config('statement_timeout', :milliseconds, true)")
                connection.execute(statement, {"milliseconds": str(_milliseconds(seconds))})
        case "mysql" | "mariadb":
            if seconds is not None:
                # MariaDB counts seconds and limits every statement, MySQL milliseconds and only SELECT.
                if getattr(connection.dialect, "is_mariadb", False):
                    limit = _milliseconds(seconds) / 1000
                    connection.exec_driver_sql(f"SET SESSION max_statement_time = {limit:.3f}")
                else:
                    connection.exec_driver_sql(f"SET SESSION max_execution_time = {_milliseconds(seconds)}")
            if read_only:
                connection.exec_driver_sql("START TRANSACTION READ ONLY")
        case "sqlite":
            connection.exec_driver_sql(f"PRAGMA query_only = {int(read_only)}")


def restore(connection: Connection) -> None:
    """Undo after the transaction what ``prepare`` set for the whole session."""
    # SQLite's setting is made anew by every prepare(), and PostgreSQL's end with the transaction.
    if connection.dialect.name in {"mysql", "mariadb"}:
        mariadb = getattr(connection.dialect, "is_mariadb", False)
        name = "max_statement_time" if mariadb else "max_execution_time"
        connection.exec_driver_sql(f"SET SESSION {name} = DEFAULT")


def cancel(engine: Engine, driver_connection: Any) -> None:
    """Stop what the connection does, from another thread, by whatever means its driver has."""
    if hasattr(driver_connection, "cancel_safe"):  # psycopg 3
        with contextlib.suppress(Exception):
            driver_connection.cancel_safe(timeout=CANCEL_SECONDS)
    elif hasattr(driver_connection, "interrupt"):  # sqlite3
        driver_connection.interrupt()
    elif hasattr(driver_connection, "cancel"):  # psycopg2, oracledb
        driver_connection.cancel()
    elif hasattr(driver_connection, "thread_id"):  # PyMySQL, mysqlclient
        with engine.connect() as other:
            other.exec_driver_sql(f"KILL QUERY {int(driver_connection.thread_id())}")


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil((seconds + SERVER_SLACK_SECONDS) * 1000))
