"""LogPushes: one thread that tells open log pages that there is more, when there are any.

The writer only leaves numbers here, after the rows were committed, and never waits. While nobody watches, the price is
one look at a small table a second, and that only while logs are being written.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable

import psycopg

from scheduling.db import Connection, close_quietly, own_connection
from scheduling.push.pool import close_pool
from scheduling.push.send import push_or_warn
from workers.engine.watch_log import log_group, watched

logger = logging.getLogger(__name__)

#: The shortest time between two pushes, in seconds: five in a second at most for one execution.
GAP_SECONDS = 0.2

#: The same while nobody watches: how long a page that was just opened hears nothing of its worker.
UNWATCHED_SECONDS = 1.0

#: A connection that was not needed for so long is closed.
IDLE_SECONDS = 60.0

#: More than this is not asked about at once; such a worker runs short work that nobody follows.
MOST_IDS = 2000


class LogPushes:
    """Gathers what was stored, and pushes for what is watched."""

    def __init__(self) -> None:
        self._stored: set[int] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def stored(self, execution_ids: Iterable[int]) -> None:
        """Take the executions that have new chunks or have ended; returns at once."""
        with self._changed:
            if len(self._stored) < MOST_IDS:
                self._stored.update(execution_ids)
            if not self._stored or self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rota-log-pushes", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self, timeout: float = 2) -> None:
        """Push what is gathered, then end the thread; wait ``timeout`` seconds at most."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        conn: Connection | None = None
        with asyncio.Runner() as runner:
            try:
                while True:
                    with self._changed:
                        while not self._stored and not self._closed:
                            if not self._changed.wait(IDLE_SECONDS):
                                close_quietly(conn)
                                conn = None
                        ids, self._stored = self._stored, set()
                        if not ids:
                            return
                    conn, pushed = self._push(conn, ids, runner)
                    with self._changed:
                        # What is stored meanwhile leaves together afterwards.
                        self._changed.wait_for(lambda: self._closed, GAP_SECONDS if pushed else UNWATCHED_SECONDS)
            finally:
                close_quietly(conn)
                runner.run(close_pool())

    def _push(self, conn: Connection | None, ids: set[int], runner: asyncio.Runner) -> tuple[Connection | None, bool]:
        try:
            if conn is None or conn.closed:
                conn = own_connection("log pushes")
            wanted = watched(conn, ids)
        except psycopg.Error as error:
            logger.debug("log pushes: %s", error)
            close_quietly(conn)
            return None, False
        if not wanted:
            return conn, False
        push_or_warn(runner, [log_group(number) for number in wanted], "log pushes")
        return conn, True
