"""Background: a chore that may take long runs beside the scheduler's loop, so that nothing fires late for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import psycopg

from scheduling.db import Connection, own_connection
from scheduling.runtime.maintainer import Chores, Condition, Maintainer

logger = logging.getLogger(__name__)


def on_a_connection(purpose: str, work: Callable[[Connection], int]) -> Callable[[], int]:
    """Return ``work`` with a connection of its own, whose statements may take as long as they take: nobody waits."""

    def run() -> int:
        conn = own_connection(purpose, statement_timeout_seconds=0)
        try:
            return work(conn)
        finally:
            conn.close()

    return run


class Background:
    """Runs ``work`` in a thread, never twice at once; what it did shows in the tally with the next turn.

    ``work`` opens the connections that it needs. ``needed`` asks, on the loop's own connection and quickly, whether
    there is anything to do. After it has run it rests for ``rests`` times as long as it took.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], int],
        *,
        needed: Callable[[Connection], bool] = lambda conn: True,
        rests: float = 0.0,
    ) -> None:
        self._name = name
        self._rests = rests
        self._rests_until = 0.0
        self._work = work
        self._needed = needed
        self._thread: threading.Thread | None = None
        self._count = 0

    def maintainer(self, every_seconds: float, *, needed: Condition | None = None) -> Maintainer:
        """Return the chore that starts the work every so often, if ``needed`` is true; see `Maintainer`."""
        return Maintainer(name=self._name, every_seconds=every_seconds, run=self._turn, needed=needed)

    def wait(self, timeout: float) -> bool:
        """Wait until the work is done, ``timeout`` seconds at most; tell whether it is."""
        if self._thread is not None:
            self._thread.join(timeout)
            return not self._thread.is_alive()
        return True

    def _turn(self, conn: Connection) -> Chores:
        if self._thread is not None and self._thread.is_alive():
            return Chores()
        count, self._count = self._count, 0
        if time.monotonic() >= self._rests_until and self._needed(conn):
            # A daemon: whatever it is at can be broken off, and whoever comes next goes on with it.
            self._thread = threading.Thread(target=self._run, name=f"rota-{self._name}", daemon=True)
            self._thread.start()
        return Chores(count=count)

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._count += self._work()
        except psycopg.Error as error:
            logger.warning("%s: %s", self._name, str(error).strip(), extra={"action": self._name})
        finally:
            ended = time.monotonic()
            self._rests_until = ended + self._rests * (ended - began)
