"""Executes one statement in one transaction."""

import json
from typing import Any

from django.utils.translation import gettext
from sqlalchemy import Connection, CursorResult, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from workers.domain.outcome import MAX_RESULT_BYTES
from workers.handlers.context import HandlerContext
from workers.handlers.errors import HandlerError
from workers.handlers.interrupt import Interruptible
from workers.handlers.sql import dialects
from workers.handlers.sql.engines import engine_for, without_password
from workers.handlers.sql.params import SqlParams
from workers.handlers.sql.values import to_json

_FETCH_ROWS = 500
#: What the rows may take of a result; the rest is for the columns' names.
_ROWS_BYTES = MAX_RESULT_BYTES - 128 * 1024


def execute(context: HandlerContext, params: SqlParams) -> dict[str, Any]:
    """Execute the statement of the params and return its result; it is stopped when it is cancelled or late.

    Raises HandlerError, HandlerTimedOut and HandlerCancelled as the handler documents it.
    """
    engine = engine_for(params.connection, context.connection_url(params.connection))
    connection = _connect(engine, params.connection)
    with connection:
        driver_connection = connection.connection.driver_connection
        with Interruptible(context, lambda: dialects.cancel(engine, driver_connection)) as watch:
            try:
                result = _execute(connection, context, params)
            except SQLAlchemyError as error:
                watch.check()
                raise _failure(error, engine) from error
    return result


def _connect(engine: Engine, name: str) -> Connection:
    try:
        return engine.connect()
    except SQLAlchemyError as error:
        message = gettext("The connection %(name)r could not be made: %(why)s") % {
            "name": name,
            "why": _first_line(error, engine),
        }
        # "from None": what the driver says in full may quote its credentials.
        raise HandlerError("connection_failed", message) from None


def _execute(connection: Connection, context: HandlerContext, params: SqlParams) -> dict[str, Any]:
    own: dict[str, Any] = {
        "rota_idempotency_key": context.idempotency_key,
        "rota_execution_id": context.execution_id,
    }
    values = {name: own.get(name, params.parameters.get(name)) for name in params.mentioned()}
    try:
        with connection.begin():
            dialects.prepare(connection, read_only=params.read_only, seconds=context.remaining())
            # Only reading may stop early. The rows of a statement that changes something can be the change
            # itself (SELECT process(id) FROM orders), so those are all fetched, and a server-side cursor
            # would be a trap.
            result = connection.execution_options(stream_results=params.read_only).execute(
                text(params.statement), {name: _bindable(value) for name, value in values.items()}
            )
            return _rows(result, params) if result.returns_rows else _no_rows(result)
    finally:
        _restore(connection)


def _restore(connection: Connection) -> None:
    if connection.invalidated:
        return
    try:
        with connection.begin():
            dialects.restore(connection)
    except SQLAlchemyError:
        # A connection that is not as it was found does not go back into the pool.
        connection.invalidate()


def _bindable(value: Any) -> Any:
    """Return a parameter as drivers take it: an object as JSON text, everything else as it is."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def _rows(result: CursorResult[Any], params: SqlParams) -> dict[str, Any]:
    rows: list[list[Any]] = []
    room, count, full = _ROWS_BYTES, 0, False
    while batch := result.fetchmany(_FETCH_ROWS):
        for row in batch:
            count += 1
            full = full or len(rows) >= params.max_rows
            if not full:
                values = [to_json(value) for value in row]
                room -= len(json.dumps(values, ensure_ascii=False).encode())
                full = room < 0
                if not full:
                    rows.append(values)
        if full and params.read_only:
            result.close()
            break
    return {
        "columns": [to_json(name) for name in result.keys()],  # noqa: SIM118 - SQLAlchemy's result is no mapping
        "rows": rows,
        "row_count": count,
        "truncated": count > len(rows),
    }


def _no_rows(result: CursorResult[Any]) -> dict[str, Any]:
    count = result.rowcount
    return {"columns": [], "rows": [], "row_count": count if count >= 0 else None, "truncated": False}


def _failure(error: SQLAlchemyError, engine: Engine) -> HandlerError:
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    template = gettext("The connection was lost: %(why)s") if lost else gettext("The statement failed: %(why)s")
    message = template % {"why": _first_line(error, engine)}
    return HandlerError(
        "connection_failed" if lost else "statement_failed", message, {"sqlstate": state} if state else None
    )


def _first_line(error: SQLAlchemyError, engine: Engine) -> str:
    """Return what the driver says, without SQLAlchemy's frame and without the password."""
    said = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(said).splitlines() if line.strip()]
    return without_password(lines[0] if lines else type(said).__name__, engine.url)
