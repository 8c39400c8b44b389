"""A scratch database: Rota's tables on the configured server, empty, and gone when the benchmark ends.

Beside the real data and not among it: nothing that a benchmark writes has to be found and deleted afterwards, and no
dead rows stay in the tables that the real workers read.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psycopg
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, ProgrammingError, connection, connections
from psycopg import sql

from config.benchmarks.errors import CannotMeasure
from scheduling.db import Connection, own_connection
from scheduling.engine.partitions import forget_known_partitions
from scheduling.notify import close_process_notifier

#: What the names of scratch databases begin with.
PREFIX = "rota_benchmark_"

#: What a worker holds: one to claim, one to write, one to listen; and one to announce while it has something to say.
CONNECTIONS_PER_PROCESS = 4

#: One benchmark at a time on a database: two would measure each other.
_LOCK = 0x42454E43

_LIVE = """
SELECT (SELECT count(*) FROM rota_queue_entry WHERE state IN (0, 1, 3)),
    (SELECT count(*) FROM rota_node WHERE state <> 'stopped' AND last_seen_at > clock_timestamp() - interval '20 s'),
    (SELECT count(DISTINCT application_name || client_port) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'rota scheduler')
"""

_LEFT_OVER = """
SELECT d.datname FROM pg_database d WHERE d.datname LIKE %s AND pg_get_userbyid(d.datdba) = current_user
    AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)
"""


@contextmanager
def scratch_database(*, anyway: bool = False) -> Iterator[None]:
    """Have Django's default connection lead to an empty database with Rota's tables, until the block ends.

    However the block ends, the database is dropped; one that a killed process left behind is dropped by the next.
    Raises CannotMeasure while the configured database has live work, workers or schedulers (unless ``anyway``),
    while another benchmark runs on it, and when its user may not create databases.
    """
    # A database is dropped with a checkpoint, which takes its time on a busy server.
    home = own_connection("benchmark", statement_timeout_seconds=0)
    try:
        if not home.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone() == (True,):
            raise CannotMeasure("Another benchmark is running on this database; wait until it has ended.")
        if not anyway:
            _refuse_live_work(home)
        _require_right(home)
        for (name,) in home.execute(_LEFT_OVER, [PREFIX.replace("_", r"\_") + "%"]).fetchall():
            _drop(home, name)
        name = f"{PREFIX}{os.getpid()}_{uuid.uuid4().hex[:8]}"
        home.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name)))
        try:
            with _default_database(name):
                call_command("migrate", verbosity=0, interactive=False)
                yield
        finally:
            _drop(home, name)
    finally:
        home.close()


def _refuse_live_work(home: Connection) -> None:
    try:
        row = home.execute(_LIVE).fetchone()
    except psycopg.errors.UndefinedTable:
        return  # never migrated: nothing can live here
    assert row is not None  # noqa: S101 - a SELECT of expressions has one row
    found = [
        f"{count} {one if count == 1 else many}"
        for count, one, many in zip(
            row,
            ("unfinished instance", "live worker", "live scheduler"),
            ("unfinished instances", "live workers", "live schedulers"),
            strict=True,
        )
        if count
    ]
    if found:
        raise CannotMeasure(
            f"The configured database is in use ({', '.join(found)}): a benchmark takes all the server has, and its "
            "figures would be wrong. Stop them, or give --anyway to measure beside them; their rows are not touched."
        )


def _require_right(home: Connection) -> None:
    row = home.execute("SELECT rolcreatedb OR rolsuper, current_user FROM pg_roles WHERE rolname = current_user")
    found = row.fetchone()
    if found is None or not found[0]:
        user = found[1] if found else "the user"
        raise CannotMeasure(
            f"The database's user may not create databases, and a benchmark cleans up by dropping the one that it "
            f"made. Let an administrator say ALTER ROLE {user} CREATEDB, or point DATABASE_URL at another server."
        )


@contextmanager
def _default_database(name: str) -> Iterator[None]:
    """Lead the default connection, and every one made like it, to the database ``name``."""
    settings = connections[DEFAULT_DB_ALIAS].settings_dict
    before = settings["NAME"]
    connection.close()
    settings["NAME"] = name
    forget_known_partitions()
    try:
        yield
    finally:
        close_process_notifier()
        with suppress(ProgrammingError, psycopg.Error):
            connection.close()
        settings["NAME"] = before
        forget_known_partitions()


def _drop(home: Connection, name: str) -> None:
    home.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def require_connections(conn: Connection, options: Mapping[str, int], *, anyway: bool) -> None:
    """Raise CannotMeasure when the server has fewer connections than the benchmark's processes need.

    Three for each process; and a slot may need one for itself as soon as its function uses the database, so more
    slots than the server has connections need ``anyway``.
    """
    row = conn.execute(
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,"
        " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
    ).fetchone()
    assert row is not None  # noqa: S101 - a SELECT of expressions has one row
    most, used = row
    count, slots = options.get("processes", 1) + options.get("schedulers", 1), options.get("concurrency", 1)
    if count * CONNECTIONS_PER_PROCESS > most - used:
        raise CannotMeasure(
            f"{count} processes need {count * CONNECTIONS_PER_PROCESS} connections; the server has {most - used} left "
            f"of {most}. Take fewer processes, or raise max_connections."
        )
    wanted = options.get("processes", 1) * slots
    if wanted > most and not anyway:
        raise CannotMeasure(
            f"{wanted} slots, and the server takes {most} connections: functions that use the database could not all "
            "have one. The benchmark's own use none; give --anyway to measure so."
        )


def emulate_flush(conn: Connection, microseconds: int) -> Connection:
    """Make every commit in the scratch database wait so long, as for a slower disk; return a connection that does.

    PostgreSQL's own `commit_delay` does it (manual, section 20.5.1). Raises CannotMeasure when the user may not.
    """
    name = sql.Identifier(conn.info.dbname)
    try:
        delay = sql.SQL("ALTER DATABASE {} SET commit_delay = {}").format(name, sql.Literal(microseconds))
        conn.execute(delay)
        conn.execute(sql.SQL("ALTER DATABASE {} SET commit_siblings = 0").format(name))
    except psycopg.errors.InsufficientPrivilege as error:
        raise CannotMeasure("Only a superuser of the server may emulate a slower flush (commit_delay).") from error
    except psycopg.errors.InvalidParameterValue as error:
        raise CannotMeasure("PostgreSQL emulates flushes of up to 100000 microseconds.") from error
    conn.close()
    return own_connection("benchmark")
