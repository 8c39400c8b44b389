"""Notifier: tells other processes that there is something to look at, a few times a second at most.

NOTIFY takes a lock that is held through the flush of the write-ahead log, so a NOTIFY in every work transaction would
bring the whole database down to one commit at a time. Hence one thread and one connection of its own per process, and
messages that are gathered: the first goes out at once, what comes within 50 ms goes out together at the end of them.

Open pages are told as well, once a second at most and only when there are any: that goes through the channel layer, in
a transaction of its own, see `scheduling.push.changes`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable

import psycopg
from django.db import transaction

from scheduling.db import (
    CLOCK_CHANNEL,
    CONTROL_CHANNEL,
    QUEUE_CHANNEL,
    Connection,
    close_quietly,
    own_connection,
)
from scheduling.push.changes import GAP_SECONDS as PAGES_GAP_SECONDS
from scheduling.push.changes import ChangePushes, somebody_looks

logger = logging.getLogger(__name__)

#: The payload on CLOCK_CHANNEL that says: planned or delayed entries, not definitions.
ENTRIES = "entries"

#: The payload on CLOCK_CHANNEL, sent by a database trigger, that says: what limits tasks was edited.
LIMITS = "limits"

#: The shortest time between two sendings, in seconds.
GAP_SECONDS = 0.05

#: A longer list of queues is sent as the empty payload, which means "look at all of yours".
LONGEST_PAYLOAD = 1000

#: A connection that was not needed for so long is closed.
IDLE_SECONDS = 60.0

# A hint that a crash swallows is a hint that is late, so nobody waits for the disk; for this transaction alone, as the
# session may be another's next.
_NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, %s)"


class Notifier:
    """Gathers hints and sends them from a thread of its own; losing one costs latency and nothing else."""

    def __init__(self) -> None:
        self._wanted: dict[str, set[str]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._pages = ChangePushes()
        self._happened = False
        self._pages_at = 0.0

    def send(self, channel: str, payloads: Iterable[str] = ("",)) -> None:
        """Have ``payloads`` announced on ``channel``; returns at once."""
        with self._changed:
            self._wanted.setdefault(channel, set()).update(payloads)
            self._happened = True
            self._wake()

    def changed(self) -> None:
        """Have open pages told that something happened which needs no other hint; returns at once."""
        if self._happened:
            return
        with self._changed:
            self._happened = True
            self._wake()

    def _wake(self) -> None:
        if (self._thread is None or not self._thread.is_alive()) and not self._closed:
            self._thread = threading.Thread(target=self._run, name="rota-notifier", daemon=True)
            self._thread.start()
        self._changed.notify()

    def queues(self, names: Iterable[str]) -> None:
        """Announce that ``names`` have something to claim."""
        if wanted := set(names):
            self.send(QUEUE_CHANNEL, wanted)

    def close(self, timeout: float = 5) -> None:
        """Send what is gathered, then end the thread; wait ``timeout`` seconds at most."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)
        self._pages.close()

    def _run(self) -> None:
        conn: Connection | None = None
        try:
            while True:
                with self._changed:
                    while not self._wanted and not self._closed and not self._tells_pages():
                        pause = self._pages_at - time.monotonic() if self._happened else IDLE_SECONDS
                        if not self._changed.wait(max(0.0, pause)) and not self._happened:
                            close_quietly(conn)
                            conn = None
                    batch, self._wanted = self._wanted, {}
                    tells_pages = self._tells_pages()
                    if tells_pages:
                        self._happened = False
                        self._pages_at = time.monotonic() + PAGES_GAP_SECONDS
                    elif not batch:
                        return
                conn = self._deliver(conn, batch, tells_pages=tells_pages)
                if batch:
                    with self._changed:
                        # The trailing edge: what arrives meanwhile leaves together afterwards.
                        self._changed.wait_for(lambda: self._closed, GAP_SECONDS)
        finally:
            close_quietly(conn)

    def _tells_pages(self) -> bool:
        return self._happened and (self._closed or time.monotonic() >= self._pages_at)

    def _deliver(self, conn: Connection | None, batch: dict[str, set[str]], *, tells_pages: bool) -> Connection | None:
        messages = []
        for channel, payloads in batch.items():
            joined = "\n".join(sorted(payloads))
            messages.append((channel, joined if len(joined.encode()) <= LONGEST_PAYLOAD else ""))
        try:
            if conn is None or conn.closed:
                conn = own_connection("notifier")
            for channel, payload in messages:
                conn.execute(_NOTIFY, [channel, payload])
            if tells_pages and somebody_looks(conn):
                self._pages.push()
        except psycopg.Error as error:
            # Every reader also looks by itself, so a lost hint is late and not lost work.
            logger.warning("notify: %s", error, extra={"action": "notify"})
            close_quietly(conn)
            return None
        except Exception:
            # Whatever it was, a channel layer that is not there or a thread that cannot be started: without this
            # thread, nobody would ever hear of this process again.
            logger.exception("notify: a hint was lost", extra={"action": "notify"})
            close_quietly(conn)
            return None
        return conn


_process_notifier: tuple[int, Notifier] | None = None
_guard = threading.Lock()


def process_notifier() -> Notifier:
    """Return the notifier of this process; a forked child gets one of its own."""
    global _process_notifier
    with _guard:
        if _process_notifier is None or _process_notifier[0] != os.getpid():
            _process_notifier = (os.getpid(), Notifier())
        return _process_notifier[1]


def close_process_notifier() -> None:
    """Send what is gathered and give the connection back; the next hint opens it anew."""
    global _process_notifier
    with _guard:
        held, _process_notifier = _process_notifier, None
    if held is not None and held[0] == os.getpid():
        held[1].close()


def announce_on_commit(*, queues: Iterable[str] = (), entries: bool = False, control: bool = False) -> None:
    """Announce after the caller's Django transaction has committed; never if it rolls back."""
    names = set(queues)

    def announce() -> None:
        notifier = process_notifier()
        notifier.queues(names)
        if entries:
            notifier.send(CLOCK_CHANNEL, [ENTRIES])
        if control:
            notifier.send(CONTROL_CHANNEL)

    transaction.on_commit(announce)
