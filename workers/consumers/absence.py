"""DatabaseAbsence: a socket that is opened while the database is away is told so, and to try again."""

from __future__ import annotations

import logging

import psycopg
from django.db import DatabaseError

from workers.consumers.origin import Application, Receive, Scope, Send

logger = logging.getLogger(__name__)

#: The close code for it, of the registry that RFC 6455, section 11.7, founded.
TRY_AGAIN = 1013


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
