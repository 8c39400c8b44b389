"""How Rota talks to PostgreSQL beside the ORM: packaged SQL, connections of its own, the database's clock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import connection as django_connection

from scheduling.conf import conf

#: Channels of NOTIFY. A payload is a hint only: every reader also looks by itself now and then.
CLOCK_CHANNEL = "rota_clock"
QUEUE_CHANNEL = "rota_queue"
CONTROL_CHANNEL = "rota_control"

#: Texts below this length are likely to come again.
LONGEST_WORD = 30

Connection = psycopg.Connection[tuple[Any, ...]]

_COMMENT = re.compile(rb"--[^\n]*")

#: psycopg prepares a statement by itself after so many uses: never. Those of the hot path ask for it.
_ONLY_WHEN_ASKED = 1 << 30

#: Whether the session is that of one client alone, and, if so, what holds for all of it from now on: behind a pooler it
#: would hold for whoever has the session next. A pooler gives its clients process ids that are not the server's
#: (PostgreSQL manual, "Message Formats", BackendKeyData).
SET_FOR_SESSION = """
SELECT pg_backend_pid() = %(pid)s, (
    SELECT count(set_config(name, value, false)) FROM unnest(%(names)s::text[], %(values)s::text[]) AS v (name, value)
    WHERE pg_backend_pid() = %(pid)s)
"""


@cache
def sql_file(path: Path) -> bytes:
    """Return the text of a packaged SQL statement: its name, as pg_stat_activity shall show it, and no other comments.

    Each file is read once in a process's life. psycopg reads statements of up to 4096 bytes once, too, and longer ones
    each time; the server reads every byte each time. No literal in these files holds ``--`` or two spaces in a row.
    """
    return b"/* %s */ " % path.stem.encode() + b" ".join(_COMMENT.sub(b"", path.read_bytes()).split())


def connection_params(purpose: str) -> dict[str, Any]:
    """Return libpq's parameters for a connection beside Django's; the embedded server is started if need be.

    ``purpose`` shows in pg_stat_activity. Raises psycopg.OperationalError.
    """
    try:
        params = dict(django_connection.get_connection_params())
    except ImproperlyConfigured as error:
        # The embedded server could not be started; for a loop that is a database that is gone for the moment.
        raise psycopg.OperationalError(str(error)) from error
    for key in ("cursor_factory", "context", "prepare_threshold", "server_side_binding"):
        params.pop(key, None)
    params["application_name"] = f"rota {purpose}"[:63]
    params.setdefault("connect_timeout", 5)
    params |= {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2}
    params["tcp_user_timeout"] = 20_000
    return params


def own_connection(
    purpose: str, *, statement_timeout_seconds: float | None = None, prepares: bool = False
) -> Connection:
    """Open a connection outside Django's handling, in autocommit, for a loop or an engine verb.

    Each statement is planned for its values: a plan that was cached while the queue was empty reads the whole backlog
    later, and behind PgBouncer the next statement may meet another session. With ``prepares``, those few that ask for
    it (``prepare=True``) are planned once instead, for any values, unless there is a pooler in between.

    ``purpose`` shows in pg_stat_activity. A statement that takes longer than ``statement_timeout_seconds`` (None: as
    set for loops; 0: however long) is cancelled, and a server that is out of reach is given up after about as long, so
    that no loop waits for ever. Nor do others wait for ever for this one: when its process stands still in the middle
    of a transaction for so long, the server ends the session, and with it the locks. Both are left to a pooler where
    there is one. Raises psycopg.OperationalError.
    """
    conn: Connection = psycopg.connect(**connection_params(purpose), autocommit=True, prepare_threshold=None)
    seconds = conf().STATEMENT_TIMEOUT_SECONDS if statement_timeout_seconds is None else statement_timeout_seconds
    # This one poolers keep apart for each of their clients.
    conn.execute("SET timezone = 'UTC'")
    limit = str(round(seconds * 1000))
    settings = {"statement_timeout": limit, "idle_in_transaction_session_timeout": limit}
    if prepares:
        settings["plan_cache_mode"] = "force_generic_plan"
    if set_for_session(conn, settings) and prepares:
        conn.prepare_threshold = _ONLY_WHEN_ASKED
    return conn


def session_values(backend_pid: int, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the values for `SET_FOR_SESSION`: ``backend_pid`` is what the connection was told when it was opened."""
    return {"pid": backend_pid, "names": list(settings), "values": list(settings.values())}


def set_for_session(conn: Connection, settings: Mapping[str, str]) -> bool:
    """Have ``settings`` hold for the rest of the session, unless others share it; return whether they do.

    Raises psycopg.Error.
    """
    row = conn.execute(SET_FOR_SESSION, session_values(conn.info.backend_pid, settings)).fetchone()
    return bool(row and row[0])


def callers_connection() -> Connection:
    """Return the connection of the current Django thread, so that a verb joins the caller's transaction."""
    django_connection.ensure_connection()
    wrapped: Connection = django_connection.connection
    return wrapped


def array_of_integers(values: Iterable[int]) -> str:
    """Return the text of a PostgreSQL array (manual, section 8.15.2), to be cast where it is used.

    psycopg adapts a list element by element in Python; for the thousands of ids on the hot path that is felt.
    """
    return f"{{{','.join(map(str, values))}}}"


def array_of_texts(values: Iterable[str | None]) -> str:
    """Return the text of a PostgreSQL array of texts, each quoted and None as NULL; see `array_of_integers`."""
    return f"{{{','.join(map(_array_element, values))}}}"


def array_of_moments(values: Iterable[datetime | None]) -> str:
    """Return the text of a PostgreSQL array of aware moments, None as NULL; see `array_of_integers`.

    What is due together stands together, so a moment that comes again is written out once.
    """
    last, text, texts = None, "NULL", []
    for value in values:
        if value != last:
            last, text = value, "NULL" if value is None else value.isoformat()
        texts.append(text)
    return f"{{{','.join(texts)}}}"


def _array_element(value: str | None) -> str:
    if value is None:
        return "NULL"
    return _quoted_word(value) if len(value) < LONGEST_WORD else _quoted(value)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


#: States and reasons, which are always the same few; longer texts would only fill the memory.
_quoted_word = lru_cache(maxsize=256)(_quoted)


def close_quietly(conn: Connection | None) -> None:
    """Close ``conn``, whatever state it is in."""
    if conn is not None:
        with suppress(psycopg.Error, OSError):
            conn.close()


def database_now(conn: Connection) -> datetime:
    """Return the database's clock; the only one that counts."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101 - a SELECT of one expression has one row
    moment: datetime = row[0]
    return moment.astimezone(UTC)
