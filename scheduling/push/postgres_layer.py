"""PostgresLayer: channels_postgres on Rota's own database, made fit for a process that runs for months.

As it comes, channels_postgres 1.1 opens a database of its own alias, takes an advisory lock for every channel and never
gives it back (the server's lock table is shared by all), keeps a queue for every channel that ever was, ends its
listener for good when the connection breaks, swallows the messages of other processes when it begins to listen, and
keeps members of groups whose process died. What is used of it here: its tables, its trigger that announces a message,
its format.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import psycopg
from channels_postgres.core import ASYNCIO_EVENT_CHANNEL_MAPPING, PostgresChannelLayer
from channels_postgres.db import DatabaseLayer
from psycopg import AsyncConnection

from scheduling.db import connection_params
from scheduling.push.pool import Pool, pool, turn

logger = logging.getLogger(__name__)

#: A message that nobody took for so long is of no use, in seconds.
MESSAGE_SECONDS = 10

#: A member of a group that was not renewed for so long has died, in seconds.
MEMBER_SECONDS = 90

#: After a lost connection the listener waits so long (seconds), doubling up to the longest.
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 10.0

#: What the base class wants to know before it may be made; no connection is ever made from it.
_NO_DATABASE = {"NAME": "rota", "USER": "", "PASSWORD": "", "HOST": "", "PORT": "", "TIME_ZONE": None}

_RENEW = """
WITH renewed AS (
    UPDATE channels_postgres_groupchannel SET expire = clock_timestamp() + make_interval(secs => %(seconds)s)
    WHERE group_key = %(group)s AND channel = %(channel)s RETURNING 1
)
INSERT INTO channels_postgres_groupchannel (group_key, channel, expire)
SELECT %(group)s, %(channel)s, clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE NOT EXISTS (SELECT FROM renewed)
"""

# Whole rows at once, and those that somebody else deletes just now are left to them.
_TIDY = (
    """
    DELETE FROM channels_postgres_message WHERE id IN (
        SELECT id FROM channels_postgres_message
        WHERE expire < clock_timestamp() ORDER BY id LIMIT 10000 FOR UPDATE SKIP LOCKED)
    """,
    """
    DELETE FROM channels_postgres_groupchannel WHERE id IN (
        SELECT id FROM channels_postgres_groupchannel
        WHERE expire < clock_timestamp() ORDER BY id LIMIT 10000 FOR UPDATE SKIP LOCKED)
    """,
)


class _OnOurPool(DatabaseLayer):
    """The statements of channels_postgres, on the pool of the event loop that runs them."""

    async def get_db_pool(self, db_params: dict[str, Any]) -> Pool:
        """Return the pool, whatever the parameters say."""
        return await pool()


class PostgresLayer(PostgresChannelLayer):
    """A channel layer (channels 4) on Rota's database; messages are small, and lost rather than kept."""

    def __init__(self, **config: Any) -> None:
        """Take the settings' CONFIG; nothing is opened before the first message."""
        super().__init__(
            **{"prefix": "rota", "expiry": MESSAGE_SECONDS, "group_expiry": MEMBER_SECONDS, **_NO_DATABASE, **config}
        )
        self.django_db = _OnOurPool({}, {}, logger=logger)
        self._listening: asyncio.Task[None] | None = None
        self._wanted: set[str] = set()

    def group_key(self, group: str) -> str:
        """Return the name that the members of ``group`` are stored under."""
        return str(self._group_key(group))

    async def receive(self, channel: str) -> dict[str, Any]:
        """Return the next message to ``channel``, which must be one of this process's."""
        queue = self._get_or_create_queue(channel)
        self._wanted.add(channel)
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen(), name="rota-channel-layer")
        message: dict[str, Any] = await self._get_message_from_channel(channel, queue)
        return message

    async def forget(self, channel: str) -> None:
        """Receive nothing more for ``channel``; with the last one, the connection is given back."""
        self._wanted.discard(channel)
        ASYNCIO_EVENT_CHANNEL_MAPPING.pop(channel, None)
        if not self._wanted and self._listening is not None:
            self._listening.cancel()
            self._listening = None

    async def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group`` for `MEMBER_SECONDS`, or renew that."""
        self.require_valid_group_name(group)
        await self._execute(_RENEW, {"group": self._group_key(group), "channel": channel, "seconds": self.group_expiry})

    async def group_discard(self, group: str, channel: str, expire: int | None = None) -> None:
        """Take ``channel`` out of ``group``."""
        self.require_valid_group_name(group)
        await self._execute(
            "DELETE FROM channels_postgres_groupchannel WHERE group_key = %(group)s AND channel = %(channel)s",
            {"group": self._group_key(group), "channel": channel},
        )

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send ``message`` to those who listen to ``group``; nothing is written when nobody does."""
        self.require_valid_group_name(group)
        key = self._group_key(group)
        channels = await self.django_db.retrieve_group_channels(key)
        serialized = self.serialize(message)
        for channel in channels:
            await self.django_db.send_to_channel(key, serialized, self.expiry, channel=channel)

    async def tidy(self) -> None:
        """Delete messages that nobody took, and members that died."""
        for statement in _TIDY:
            await self._execute(statement, {})

    async def _execute(self, statement: str, params: dict[str, Any]) -> None:
        async with turn() as conn:
            await conn.execute(statement.encode(), params)

    async def _listen(self) -> None:
        backoff = FIRST_BACKOFF
        while True:
            try:
                params = await asyncio.to_thread(connection_params, "sockets listener")
                async with await AsyncConnection.connect(**params, autocommit=True) as conn:
                    await conn.execute("LISTEN channels_postgres_messages")
                    backoff = FIRST_BACKOFF
                    async for notice in conn.notifies():
                        # id:channel:message:expiry, or the first two when the message is long.
                        channel = notice.payload.split(":", 2)[1]
                        if channel in self._wanted:
                            self._get_or_create_queue(channel).put_nowait(notice.payload)
            except (psycopg.Error, OSError) as error:
                logger.warning("pushes: %s", str(error).strip() or type(error).__name__, extra={"action": "push"})
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)
