"""One pool of asynchronous connections for each event loop, for what many sockets read and write."""

from __future__ import annotations

import asyncio
import os
import socket
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from scheduling.db import SET_FOR_SESSION, connection_params, session_values

#: However many sockets are open, no more connections than this; they take turns, each for milliseconds.
MOST_CONNECTIONS = 6

#: How long a turn is waited for, and a statement runs, in seconds.
PATIENCE_SECONDS = 10.0

#: A server that says nothing for so long (seconds) stands still: neither it nor TCP ends what waits for it, not even a
#: statement that has run out of time. Then the connection is ended at this side.
SILENCE_SECONDS = PATIENCE_SECONDS + 2.0

#: The same where an answer takes no work.
SHORT_SILENCE_SECONDS = 5.0

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]

_pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = weakref.WeakKeyDictionary()


async def pool() -> Pool:
    """Return the pool of the running event loop; its connections are in autocommit, and none is open while idle.

    Raises psycopg.OperationalError when the embedded server does not start; taking a connection raises it (as
    psycopg_pool.PoolTimeout) when the database is out of reach.
    """
    loop = asyncio.get_running_loop()
    found = _pools.get(loop)
    if found is None:
        # It may have to start the embedded server, which takes a second.
        params = await asyncio.to_thread(connection_params, "sockets")
        found = _pools.get(loop)
    if found is None:
        found = AsyncConnectionPool(
            kwargs={**params, "autocommit": True, "prepare_threshold": None},
            min_size=0,
            max_size=MOST_CONNECTIONS,
            timeout=PATIENCE_SECONDS,
            max_idle=60.0,
            reconnect_timeout=PATIENCE_SECONDS,
            configure=_configure,
            check=_check,
            open=False,
        )
        _pools[loop] = found
        await found.open()
    return found


@asynccontextmanager
async def turn() -> AsyncIterator[AsyncConnection[tuple[Any, ...]]]:
    """Give a connection of the pool for a few short statements.

    Raises psycopg.OperationalError when none is free in time, or when the server stands still meanwhile.
    """
    async with (await pool()).connection() as conn:
        with _not_for_ever(conn, SILENCE_SECONDS):
            yield conn


async def close_pool() -> None:
    """Close the pool of the running event loop, if it has one."""
    found = _pools.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close(timeout=1)


async def _configure(conn: AsyncConnection[tuple[Any, ...]]) -> None:
    with _not_for_ever(conn, SHORT_SILENCE_SECONDS):
        await conn.execute("SET timezone = 'UTC'")
        # A pushed hint that a crash swallows is a hint that is late.
        settings = {"statement_timeout": str(round(PATIENCE_SECONDS * 1000)), "synchronous_commit": "off"}
        await conn.execute(SET_FOR_SESSION, session_values(conn.info.backend_pid, settings))


async def _check(conn: AsyncConnection[tuple[Any, ...]]) -> None:
    with _not_for_ever(conn, SHORT_SILENCE_SECONDS):
        await AsyncConnectionPool.check_connection(conn)


@contextmanager
def _not_for_ever(conn: AsyncConnection[tuple[Any, ...]], seconds: float) -> Iterator[None]:
    alarm = asyncio.get_running_loop().call_later(seconds, _hang_up, conn)
    try:
        yield
    finally:
        alarm.cancel()


def _hang_up(conn: AsyncConnection[tuple[Any, ...]]) -> None:
    """End the connection under whoever waits for it: libpq reads its end, as if the server had closed it."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
