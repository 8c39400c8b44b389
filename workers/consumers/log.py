"""LogConsumer: follows the log of an execution to its end over a websocket.

The rows are the truth. The consumer reads what comes after the last chunk that it sent, and sleeps until a push says
that there is more or a second has passed; a reader that comes back names the last chunk that it has, so there is no gap
and nothing comes twice. The next rows are read when the socket has taken the last ones, so a slow reader costs one
message of memory here and nothing at the worker.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any
from urllib.parse import parse_qs

import psycopg
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from accounts.models import User
from accounts.whole_numbers import whole_number
from scheduling.push.ears import ears
from workers.consumers.absence import TRY_AGAIN, in_time
from workers.consumers.log_rows import Look, look, renew_watch
from workers.consumers.visitor import Followed, followed, visitor_of
from workers.engine.watch_log import WATCH_SECONDS, log_group

logger = logging.getLogger(__name__)

#: How long to wait for a push, in seconds, before looking without one.
LOOK_SECONDS = 1.0

#: A reader hears at least so often (seconds) that its log is looked after, so that silence means something.
BEAT_SECONDS = 5.0

#: How often it is asked whether the reader may still see the log, in seconds.
ASK_AGAIN_SECONDS = 30.0

#: Close codes: those below 4000 are of RFC 6455, the others name HTTP's status.
DONE, BAD_REQUEST, NOT_LOGGED_IN, NOT_HERE = 1000, 4400, 4401, 4404

_MOST = 2**31 - 1


class LogConsumer(AsyncWebsocketConsumer):
    """One reader of one log: `/ws/executions/<id>/log?after=<seq>`.

    Sends `{"type": "chunks", "chunks": [{"seq", "stream", "at", "text"}, …]}` and, when the execution has ended and all
    of its log was sent, `{"type": "final", "state", "reason", "message", "finished_at", "next_after"}`. While there is
    nothing to send, `{"type": "alive"}` says every `BEAT_SECONDS` that the database was asked and had nothing new.
    Closes with a code and a reason when it cannot.
    """

    # Pushes are heard for all sockets together, see Ears; a channel of the layer's for each would be waste.
    channel_layer_alias = "one for each process"

    _task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Find out who this is and what they may see; then follow, or say why not."""
        # Accepted first, since a browser tells its page nothing about a handshake that was refused.
        await self.accept()
        try:
            after = _after(self.scope["query_string"])
        except ValueError:
            await self.close(BAD_REQUEST, "after must be a whole number, -1 or more")
            return
        number = whole_number(self.scope["url_route"]["kwargs"]["execution_id"])
        try:
            user = await in_time(database_sync_to_async(visitor_of)(self.scope))
            if not isinstance(user, User):
                await self.close(NOT_LOGGED_IN, "log in first, or show a valid token")
                return
            target = None
            if number is not None:
                target = await in_time(database_sync_to_async(followed)(user, number))
        except (DatabaseError, psycopg.Error):
            await self.close(TRY_AGAIN, "the database does not answer")
            return
        if target is None:
            await self.close(NOT_HERE, "there is no such execution, or you may not see it")
            return
        self._task = asyncio.create_task(self._serve(user, target, after))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take no notice of what a reader says."""

    async def disconnect(self, code: int) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()

    async def _serve(self, user: User, target: Followed, after: int) -> None:
        try:
            await self._follow(user, target, after)
        except (DatabaseError, psycopg.Error) as error:
            logger.warning("log socket: %s", str(error).strip(), extra={"action": "database_lost"})
            await self.close(TRY_AGAIN, "the database does not answer")
        except OSError:
            # The reader went away while something was on its way to them.
            return
        except Exception:
            logger.exception("log socket: execution %s", target.execution_id)
            await self.close(1011, "something is wrong here; the server's log says what")

    async def _follow(self, user: User, target: Followed, after: int) -> None:
        renew_at = asked_at = time.monotonic()
        # Who comes back hears at once that somebody is there.
        said_at = renew_at - BEAT_SECONDS
        async with ears().listening(log_group(target.execution_id)) as more:
            while True:
                more.clear()
                now = time.monotonic()
                if now >= asked_at + ASK_AGAIN_SECONDS:
                    asked_at = now
                    if await in_time(database_sync_to_async(followed)(user, target.execution_id)) is None:
                        await self.close(NOT_HERE, "you may not see this execution any more")
                        return
                found = await look(target, after)
                if found is None:
                    await self.close(NOT_HERE, "the execution was deleted")
                    return
                if found.rows:
                    await self.send(text_data=_chunks(found))
                    after = found.rows[-1].seq
                    said_at = time.monotonic()
                    continue
                if found.finished_at is not None:
                    await self.send(text_data=_final(found, after))
                    await self.close(DONE, "the log is complete")
                    return
                if now >= renew_at:
                    renew_at = now + WATCH_SECONDS / 3
                    await renew_watch(target)
                if time.monotonic() >= said_at + BEAT_SECONDS:
                    said_at = time.monotonic()
                    await self.send(text_data=_json({"type": "alive"}))
                await _wait(more)


async def _wait(more: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await more.wait()
    except TimeoutError:
        pass


def _after(query: bytes) -> int:
    """Return the last chunk that the reader has, -1 for none; raises ValueError."""
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("after", ["-1"])[-1]
    after = int(given)
    if not -1 <= after <= _MOST:
        raise ValueError(given)
    return after


def _chunks(found: Look) -> str:
    chunks = [{"seq": row.seq, "stream": row.stream, "at": row.at.isoformat(), "text": row.text} for row in found.rows]
    return _json({"type": "chunks", "chunks": chunks})


def _final(found: Look, after: int) -> str:
    ended = found.finished_at.isoformat() if found.finished_at is not None else None
    return _json(
        {
            "type": "final",
            "state": found.state,
            "reason": found.reason,
            "message": found.message,
            "finished_at": ended,
            "next_after": after,
        }
    )


def _json(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
