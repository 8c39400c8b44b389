"""One sentence for a person about a connection that could not be opened."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from django.db import NotSupportedError

# What libpq and psycopg put in front of the reason.
_PREFIX = re.compile(
    r"^(?:connection failed: |connection is bad: )?"
    r"(?:connection to server (?:at|on) .+? failed: )?"
    r"(?:(?:FATAL|ERROR):\s+)?",
)
_FOREIGN = re.compile(r"invalid response to SSL negotiation|expected authentication request|unsupported protocol")
_CLOSED = re.compile(r"server closed the connection unexpectedly")
_REFUSED = re.compile(r"Connection refused")
_UNKNOWN_HOST = re.compile(r"failed to resolve host|could not translate host name")
_UNKNOWN_OPTION = re.compile(r"invalid connection option")


def explain(exc: BaseException, settings_dict: Mapping[str, Any]) -> str | None:
    """Returns why the database of `settings_dict` could not be reached or went away, without its password.

    None when `exc` (with what it was raised from) is about neither: a statement that failed is for a traceback,
    because there the code matters.
    """
    for cause in _chain(exc):
        if isinstance(cause, NotSupportedError) and "or later is required" in str(cause):
            return f"{_place(settings_dict)} cannot be used: {_first_line(cause)}."
        if isinstance(cause, psycopg.Error) and _while_connecting(cause):
            place, reason = _place(settings_dict), _reason(cause, settings_dict)
            return f"Cannot connect to {place}: {reason}. {_advice(settings_dict)}"
        if isinstance(cause, psycopg.OperationalError) and (cause.sqlstate or "57P")[:3] == "57P":
            # Without a code of the server's, or with one of its own end.
            return f"{_place(settings_dict)} ended the connection: {_first_line(cause)}. Run the command again."
    return None


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__


def _while_connecting(exc: psycopg.Error) -> bool:
    """psycopg attaches the failed connection to an error of connect(), except when it never got that far."""
    if isinstance(exc, psycopg.OperationalError):
        return (
            exc.pgconn is not None
            or isinstance(exc, psycopg.errors.ConnectionTimeout)
            or _UNKNOWN_HOST.search(str(exc)) is not None
        )
    return isinstance(exc, psycopg.ProgrammingError) and _UNKNOWN_OPTION.match(str(exc)) is not None


def _reason(exc: psycopg.Error, settings_dict: Mapping[str, Any]) -> str:
    text = str(exc)
    if isinstance(exc, psycopg.errors.ConnectionTimeout):
        return f"no answer within {settings_dict['OPTIONS'].get('connect_timeout')} seconds"
    if _UNKNOWN_HOST.search(text):
        return "the host name is unknown"
    if _REFUSED.search(text):
        return "connection refused, nothing listens there"
    if _FOREIGN.search(text):
        return "what answers there is not PostgreSQL"
    if _CLOSED.search(text):
        return "what answers there closed the connection, so it may not be PostgreSQL"
    return _first_line(exc)


def _first_line(exc: BaseException) -> str:
    line = next(iter(str(exc).strip().splitlines()), type(exc).__name__)
    return _PREFIX.sub("", line).rstrip(". ")


def _place(settings_dict: Mapping[str, Any]) -> str:
    if settings_dict.get("EMBEDDED_HOME"):
        return f"the embedded PostgreSQL in {settings_dict['EMBEDDED_HOME']}"
    options = settings_dict["OPTIONS"]
    host = settings_dict["HOST"] or options.get("host") or "the default address"
    port = settings_dict["PORT"] or options.get("port") or 5432
    user = settings_dict["USER"] or options.get("user")
    account = f', user "{user}"' if user else ""
    return f'PostgreSQL at {host}:{port} (database "{settings_dict["NAME"]}"{account})'


def _advice(settings_dict: Mapping[str, Any]) -> str:
    if settings_dict.get("EMBEDDED_HOME"):
        return "Its log is postgres/server.log in that directory."
    return "Check DATABASE_URL."
