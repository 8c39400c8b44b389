"""Ears: of one process, one channel of the layer, which wakes whoever waits for a group."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

#: How often memberships are renewed, and what is left over is deleted, in seconds.
RENEW_SECONDS = 30.0

#: How long an ear that failed waits before it listens again, in seconds.
AGAIN_SECONDS = 2.0


class Ears:
    """Listens for all sockets of one event loop together.

    A layer has to remember each channel that it serves, so a channel for each socket would cost the layer what the
    sockets cost; this way it serves one for each process. While the layer is out of reach nobody is woken, which is
    why whoever waits also looks by himself.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listening(self, group: str) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set at each push to ``group``; who waits clears it before reading."""
        more = asyncio.Event()
        self._waiting.setdefault(group, set()).add(more)
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="rota-ears")
        try:
            yield more
        finally:
            waiting = self._waiting.get(group, set())
            waiting.discard(more)
            if not waiting:
                self._waiting.pop(group, None)
            self._changed.set()

    def _wake(self, group: str) -> None:
        for event in self._waiting.get(group, ()):
            event.set()

    async def _run(self) -> None:
        while self._waiting:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - whatever a layer raises, the sockets go on without it
                said = str(error).strip() or type(error).__name__
                logger.warning("pushes are not heard: %s", said, extra={"action": "push"})
                await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        layer: Any = get_channel_layer()
        channel = await layer.new_channel()
        members: set[str] = set()
        hearing = asyncio.create_task(self._hear(layer, channel))
        try:
            while self._waiting or members:
                self._changed.clear()
                wanted = set(self._waiting)
                for group in wanted - members:
                    await layer.group_add(group, channel)
                    members.add(group)
                    # What was pushed before counts as pushed now.
                    self._wake(group)
                for group in members - wanted:
                    await layer.group_discard(group, channel)
                    members.discard(group)
                if hearing.done():
                    hearing.result()
                if (self._waiting or members) and not await self._change():
                    for group in members:
                        await layer.group_add(group, channel)
                    if hasattr(layer, "tidy"):
                        await layer.tidy()
        finally:
            hearing.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await hearing
            if hasattr(layer, "forget"):
                await layer.forget(channel)

    async def _change(self) -> bool:
        """Wait until somebody comes or goes, or it is time to renew; tell which."""
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _hear(self, layer: Any, channel: str) -> None:
        try:
            while True:
                message = await layer.receive(channel)
                self._wake(str(message.get("group", "")))
        finally:
            self._changed.set()


_ears: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Ears] = weakref.WeakKeyDictionary()


def ears() -> Ears:
    """Return the ears of the running event loop."""
    return _ears.setdefault(asyncio.get_running_loop(), Ears())
