"""One small pool of connections for each database URL that the tasks of this process use."""

import threading
from collections import OrderedDict

from django.utils.translation import gettext
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from workers.handlers.errors import HandlerError

#: How many databases keep their pools; the one used longest ago is dropped first.
MAX_ENGINES = 32
#: How many idle connections a pool keeps. It lends as many as are asked for: the worker's slots are the
#: limit.
IDLE_CONNECTIONS = 2
CONNECT_SECONDS = 10
#: Below the usual limits after which firewalls and servers drop an idle connection.
RECYCLE_SECONDS = 280

#: Drivers that call their connection time-out so.
_CONNECT_TIMEOUT_DRIVERS = frozenset({"psycopg", "psycopg2", "pymysql", "mysqldb", "asyncpg"})

_engines: OrderedDict[str, Engine] = OrderedDict()
_lock = threading.Lock()


def engine_for(name: str, url: str) -> Engine:
    """Return the engine of a URL; ``name`` is what people call the connection.

    Raises HandlerError with ``bad_connection`` or ``driver_missing``; the URL is in no message, because it
    holds the password.
    """
    with _lock:
        engine = _engines.get(url)
        if engine is None:
            engine = _engines[url] = _new_engine(name, url)
        _engines.move_to_end(url)
        dropped = _engines.popitem(last=False)[1] if len(_engines) > MAX_ENGINES else None
    if dropped is not None:
        dropped.dispose()
    return engine


def forget_engines() -> None:
    """Close all idle connections and forget every engine."""
    with _lock:
        engines = list(_engines.values())
        _engines.clear()
    for engine in engines:
        engine.dispose()


def without_password(text: str, url: URL) -> str:
    """Return a driver's message without the connection's password, should the driver have quoted it."""
    return text.replace(url.password, "***") if url.password else text


def _new_engine(name: str, text: str) -> Engine:
    try:
        url = _with_installed_driver(make_url(text))
        connect_args: dict[str, object] = {}
        if url.get_driver_name() in _CONNECT_TIMEOUT_DRIVERS and "connect_timeout" not in url.query:
            connect_args["connect_timeout"] = CONNECT_SECONDS
        if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
            # One connection to one database in memory; a pool would make a new, empty database for each.
            return create_engine(url)
        return create_engine(
            url,
            pool_size=IDLE_CONNECTIONS,
            max_overflow=-1,
            pool_pre_ping=True,
            pool_recycle=RECYCLE_SECONDS,
            connect_args=connect_args,
        )
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        message = gettext("The URL of the connection %(name)r is not one that SQLAlchemy knows.") % {"name": name}
        # "from None": SQLAlchemy quotes the whole URL.
        reason = "driver_missing" if isinstance(error, NoSuchModuleError) else "bad_connection"
        raise HandlerError(reason, message, retryable=False) from None
    except ImportError as error:
        message = gettext("The connection %(name)r needs the Python package %(package)s on this worker.") % {
            "name": name,
            "package": error.name or str(error),
        }
        raise HandlerError("driver_missing", message, retryable=False) from None


def _with_installed_driver(url: URL) -> URL:
    """Return the URL with the driver that Rota brings where it names none."""
    return url.set(drivername="postgresql+psycopg") if url.drivername in {"postgres", "postgresql"} else url
