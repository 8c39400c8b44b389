"""Listener: sleeps until a notification, a deadline or an interruption, whichever comes first."""

from __future__ import annotations

import logging
import os
import select
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg import sql

from scheduling.db import Connection, close_quietly, own_connection

logger = logging.getLogger(__name__)

#: After a failed connection attempt, the next one waits so long (seconds), doubling up to the longest.
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 10.0

#: Linux ends a select up to a thousandth of its time-out late (fs/select.c, select_estimate_accuracy), 15 ms after a
#: sleep of 15 s. So a long wait stops by twice as much early, and ...
OVERSLEEPS = 0.002

#: ... what is left is waited for again, down to waits of so many seconds.
SHORT_SECONDS = 0.1


class Listener:
    """Waits on a LISTEN connection and on a pipe that `interrupt` writes to.

    Only the thread that waits uses the connection. When it is lost, waiting goes on without it, and it is opened anew
    with growing pauses; `reconnected` tells the waiter that notifications may have been missed.
    """

    def __init__(self, purpose: str, channels: Sequence[str]) -> None:
        self._purpose = purpose
        self._channels = channels
        self._conn: Connection | None = None
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        weakref.finalize(self, _close_pipe, self._reader, self._writer)
        self._backoff = FIRST_BACKOFF
        self._retry_at = 0.0
        #: Set when the connection was opened; the waiter clears it after having looked at everything.
        self.reconnected = False

    @property
    def connection(self) -> Connection | None:
        """The connection, for short statements of the waiting thread itself; None while it is down."""
        self._ensure_open()
        return self._conn

    def interrupt(self) -> None:
        """End the current or next wait at once. May be called from a signal handler or any thread."""
        with suppress(BlockingIOError, OSError):
            os.write(self._writer, b"!")

    def wait(self, timeout: float) -> dict[str, set[str]]:
        """Sleep for ``timeout`` seconds at most; return the payloads received, by channel.

        An empty answer means the time is over, an interruption, or a connection that is down.
        """
        self._ensure_open()
        heard = self._drain_notifications(0) if self._conn is not None else {}
        if heard or self.reconnected:
            return heard
        files: list[int] = [self._reader]
        if self._conn is not None:
            files.append(self._conn.fileno())
        else:
            timeout = min(timeout, max(0.0, self._retry_at - time.monotonic()))
        ready = _ready(files, timeout)
        if self._reader in ready:
            with suppress(BlockingIOError):
                os.read(self._reader, 4096)
        if self._conn is not None and len(files) > 1 and files[1] in ready:
            return self._drain_notifications(0)
        return {}

    def close(self) -> None:
        """Give the connection back; the pipe stays, so that a late `interrupt` is harmless."""
        close_quietly(self._conn)
        self._conn = None

    def lost(self, error: Exception) -> None:
        """Tell that the connection failed; it is opened anew later."""
        logger.warning("listen: %s", str(error).strip() or type(error).__name__, extra={"action": "listen"})
        close_quietly(self._conn)
        self._conn = None
        self._retry_at = time.monotonic() + self._backoff
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)

    def _ensure_open(self) -> None:
        if self._conn is not None or time.monotonic() < self._retry_at:
            return
        try:
            self._conn = own_connection(self._purpose)
            for channel in self._channels:
                self._conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        except psycopg.Error as error:
            self.lost(error)
        else:
            self._backoff = FIRST_BACKOFF
            self.reconnected = True

    def _drain_notifications(self, timeout: float) -> dict[str, set[str]]:
        assert self._conn is not None  # noqa: S101 - the callers have just looked
        heard: dict[str, set[str]] = {}
        try:
            for notice in self._conn.notifies(timeout=timeout):
                heard.setdefault(notice.channel, set()).update(notice.payload.split("\n"))
        except psycopg.Error as error:
            self.lost(error)
        return heard


def _ready(files: Sequence[int], timeout: float) -> list[int]:
    """Return which of ``files`` can be read within ``timeout`` seconds, punctually however long that is."""
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        ready, _, _ = select.select(files, [], [], max(0.0, left - OVERSLEEPS * left if left > SHORT_SECONDS else left))
        if ready or time.monotonic() >= deadline:
            return ready


def _close_pipe(*ends: int) -> None:
    for end in ends:
        with suppress(OSError):
            os.close(end)
