"""Pulse: the thread that keeps a worker's leases alive and hears what concerns it.

It owns the connection that listens, so that neither a full pool nor a slow statement can hold a heartbeat back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import psycopg

from scheduling.db import CONTROL_CHANNEL, QUEUE_CHANNEL, database_now
from scheduling.domain.clock import DatabaseClock
from scheduling.listen import Listener
from scheduling.runtime.watchdog import CONNECTING_SECONDS, Watch
from workers.conf import WorkersConf
from workers.domain.states import NodeState
from workers.engine.heartbeat import Heard, heartbeat
from workers.engine.nodes import Registration
from workers.runtime.machine import machine

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PulseCalls:
    """What a pulse tells its worker; each is called in the pulse's thread and must return soon."""

    #: One of our queues got something.
    wake: Callable[[], None]
    #: These leases shall stop.
    cancel: Callable[[Collection[int]], None]
    #: And these without a grace; they may have been told to stop before.
    kill: Callable[[Collection[int]], None]
    #: Somebody asked this node to drain.
    drain: Callable[[], None]
    #: Somebody let a node go on that had been drained before this worker came.
    resume: Callable[[], None]
    #: The leases are gone, or must be taken for gone: stop everything and report nothing.
    fence: Callable[[str], None]
    #: How many slots are busy.
    busy: Callable[[], int]
    #: What was done since the start, by name.
    counts: Callable[[], Mapping[str, int]]


class Pulse:
    """Sends heartbeats, hears notifications, and fences the worker when it cannot renew."""

    def __init__(
        self,
        *,
        registration: Registration,
        queues: Collection[str],
        conf: WorkersConf,
        clock: DatabaseClock,
        calls: PulseCalls,
        watch: Watch,
    ) -> None:
        self._watch = watch
        self._registration, self._queues, self._conf = registration, frozenset(queues), conf
        self._clock, self._calls = clock, calls
        self._listener = Listener("worker pulse", [QUEUE_CHANNEL, CONTROL_CHANNEL])
        self._stopping = threading.Event()
        self._draining = False
        self._on_hold = registration.held is not None
        self._fenced = False
        self._renewed_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="rota-pulse", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread is at work; a worker without its pulse must not go on."""
        return self._thread.is_alive()

    def drain(self) -> None:
        """Say `draining` from the next heartbeat on, and send that one now."""
        self._draining = True
        self._listener.interrupt()

    def stop(self, timeout: float = 10) -> None:
        """End the thread and give its connection back; wait ``timeout`` seconds at most."""
        self._watch.end()
        self._stopping.set()
        self._listener.interrupt()
        self._thread.join(timeout)

    def _run(self) -> None:
        beat_at = 0.0
        said_draining = False
        while not self._stopping.is_set():
            now = time.monotonic()
            if now >= beat_at or (self._draining and not said_draining):
                said_draining = self._draining
                self._beat()
                beat_at = time.monotonic() + (
                    self._conf.heartbeat_seconds if self._listener.connection else self._conf.heartbeat_seconds / 5
                )
            if time.monotonic() - self._renewed_at > self._conf.fence_seconds:
                self._fence(f"no heartbeat got through for {self._conf.fence_seconds:g} s")
            rest = max(0.0, beat_at - time.monotonic())
            self._watch.turned(rest=rest if self._listener.connection else rest + CONNECTING_SECONDS)
            heard = self._listener.wait(rest)
            self._watch.turned()
            if self._listener.reconnected:
                self._listener.reconnected = False
                self._calls.wake()
            names = heard.get(QUEUE_CHANNEL, set())
            if names and ("" in names or names & self._queues):
                self._calls.wake()
            if CONTROL_CHANNEL in heard:
                beat_at = 0.0
        self._listener.close()

    def _beat(self) -> None:
        conn = self._listener.connection
        if conn is None:
            return
        try:
            asked_at = time.monotonic()
            now = database_now(conn)
            self._clock.sync(now, asked_at=asked_at, answered_at=time.monotonic())
            heard = heartbeat(
                conn,
                node_id=self._registration.node_id,
                incarnation=self._registration.incarnation,
                state=NodeState.DRAINING if self._draining else NodeState.ONLINE,
                busy=self._calls.busy(),
                counts=self._calls.counts(),
                machine=machine(),
            )
        except psycopg.Error as error:
            self._listener.lost(error)
            return
        self._take(heard)

    def _take(self, heard: Heard | None) -> None:
        if heard is None:
            self._fence("another worker has taken this node's name")
            return
        self._renewed_at = time.monotonic()
        if heard.cancel:
            self._calls.cancel(heard.cancel)
        if heard.kill:
            self._calls.kill(heard.kill)
        if heard.state is NodeState.ONLINE and self._on_hold:
            self._on_hold = False
            self._calls.resume()
        if heard.state is NodeState.DRAINING and not self._draining and not self._on_hold:
            self._draining = True
            self._calls.drain()

    def _fence(self, why: str) -> None:
        if not self._fenced:
            self._fenced = True
            self._calls.fence(why)
