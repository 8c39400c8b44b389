"""ChangePushes: tells open pages, through the channel layer, that something happened, at most once a second.

A page that hears it asks for what it shows; it also does so every few seconds without having heard anything.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from channels.layers import get_channel_layer

from scheduling.db import Connection
from scheduling.push.pool import close_pool
from scheduling.push.postgres_layer import PostgresLayer
from scheduling.push.send import push_or_warn

#: The group of all open pages. One for all namespaces: it says nothing but that something happened somewhere.
CHANGES = "changes"

#: The shortest time between two pushes of one process, in seconds.
GAP_SECONDS = 1.0

#: A thread that had nothing to push for so long (seconds) gives its connections back.
IDLE_SECONDS = 60.0

_SOMEBODY = """
SELECT EXISTS (
    SELECT FROM channels_postgres_groupchannel WHERE group_key = %s AND expire > clock_timestamp()
)
"""


def somebody_looks(conn: Connection) -> bool:
    """Return whether a page is open anywhere; a layer that cannot be asked may have some. Raises psycopg.Error."""
    layer: Any = get_channel_layer()
    if not isinstance(layer, PostgresLayer):
        return True
    row = conn.execute(_SOMEBODY, [layer.group_key(CHANGES)]).fetchone()
    return row is not None and bool(row[0])


class ChangePushes:
    """One thread that pushes; whoever asks for it never waits, however slow the layer is."""

    def __init__(self) -> None:
        self._wanted = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def push(self) -> None:
        """Have one push sent; returns at once."""
        with self._changed:
            self._wanted = True
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="rota-change-pushes", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self, timeout: float = 2) -> None:
        """Send what is wanted, then end the thread; wait ``timeout`` seconds at most."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            try:
                while True:
                    with self._changed:
                        while not self._wanted and not self._closed:
                            if not self._changed.wait(IDLE_SECONDS):
                                runner.run(close_pool())
                        if not self._wanted:
                            return
                        self._wanted = False
                    push_or_warn(runner, [CHANGES], "change pushes")
            finally:
                runner.run(close_pool())
