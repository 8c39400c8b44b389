"""DatabaseAbsence: a socket that is opened while the database is away is told so, and to try again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

import psycopg
from django.db import DatabaseError, OperationalError

from workers.consumers.origin import Application, Receive, Scope, Send

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: The close code for it, of the registry that RFC 6455, section 11.7, founded.
TRY_AGAIN = 1013

#: An answer that has not come within so many seconds counts as none: the server stands still, or cannot be reached.
SILENCE_SECONDS = 10.0


async def in_time(asked: Awaitable[T]) -> T:
    """Return what ``asked``, a question to the database in a thread, returns. Raises OperationalError when it is late.

    The thread cannot be called back; what it finds in the end nobody wants.
    """
    task = asyncio.ensure_future(asked)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    done, _others = await asyncio.wait({task}, timeout=SILENCE_SECONDS)
    if not done:
        raise OperationalError(f"no answer within {SILENCE_SECONDS:g} seconds")
    return task.result()


class DatabaseAbsence:
    """ASGI middleware for websockets, around the log-in: that reads the session before any consumer is there."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the socket on; accept and close it with a reason when it cannot be known whose it is."""
        try:
            await self._application(scope, receive, send)
        except (DatabaseError, psycopg.Error) as error:
            logger.warning("socket: %s", str(error).strip(), extra={"action": "database_lost"})
            # Accepted first, since a browser tells its page nothing about a handshake that was refused.
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": TRY_AGAIN, "reason": "the database does not answer"})
