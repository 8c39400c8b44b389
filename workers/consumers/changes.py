"""ChangesConsumer: tells an open page that something happened, once a second at most; the page asks what."""

from __future__ import annotations

import asyncio
import logging
import time

import psycopg
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from accounts.models import User
from scheduling.push.changes import CHANGES, GAP_SECONDS
from scheduling.push.ears import ears
from workers.consumers.absence import TRY_AGAIN, in_time
from workers.consumers.log import ASK_AGAIN_SECONDS, NOT_LOGGED_IN
from workers.consumers.visitor import visitor_of

logger = logging.getLogger(__name__)


class ChangesConsumer(AsyncWebsocketConsumer):
    """One open page: `/ws/changes`. Sends the text `changed`; what changed, and where, it does not say."""

    # As for logs: one channel of the layer for each process.
    channel_layer_alias = "one for each process"

    _task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Find out who this is; then listen, or say why not."""
        await self.accept()
        try:
            user = await in_time(database_sync_to_async(visitor_of)(self.scope))
        except (DatabaseError, psycopg.Error):
            await self.close(TRY_AGAIN, "the database does not answer")
            return
        if not isinstance(user, User):
            await self.close(NOT_LOGGED_IN, "log in first, or show a valid token")
            return
        self._task = asyncio.create_task(self._serve(user.pk))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take no notice of what a page says."""

    async def disconnect(self, code: int) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()

    async def _serve(self, user_id: int) -> None:
        try:
            await self._listen(user_id)
        except (DatabaseError, psycopg.Error):
            await self.close(TRY_AGAIN, "the database does not answer")
        except OSError:
            # The page was closed while something was on its way to it.
            return
        except Exception:
            logger.exception("changes socket")
            await self.close(1011, "something is wrong here; the server's log says what")

    async def _listen(self, user_id: int) -> None:
        asked_at = time.monotonic()
        async with ears().listening(CHANGES) as more:
            while True:
                heard = await _heard(more)
                if time.monotonic() >= asked_at + ASK_AGAIN_SECONDS:
                    asked_at = time.monotonic()
                    if not await in_time(database_sync_to_async(_may_log_in)(user_id)):
                        await self.close(NOT_LOGGED_IN, "you may not log in any more")
                        return
                if heard:
                    more.clear()
                    await self.send(text_data="changed")
                    # Of what happens meanwhile the page is told once.
                    await asyncio.sleep(GAP_SECONDS)


def _may_log_in(user_id: int) -> bool:
    return User.objects.filter(pk=user_id, is_active=True).exists()


async def _heard(more: asyncio.Event) -> bool:
    """Wait for a push, but not for ever; tell whether one came."""
    try:
        async with asyncio.timeout(ASK_AGAIN_SECONDS):
            await more.wait()
    except TimeoutError:
        return False
    return True
