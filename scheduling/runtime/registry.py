"""Registry: a scheduler's entry among the schedulers, and what it knows of the others."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from scheduling.db import Connection
from scheduling.engine.schedulers import beat, leave_scheduler, register_scheduler, sweep_schedulers

#: Knuth's multiplier for hashing (The Art of Computer Programming, volume 3, section 6.4).
_SCATTER = 2654435761


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of shared work is this scheduler's: those whose hash modulo ``count`` is ``rank``."""

    rank: int = 0
    count: int = 1

    def has(self, task_id: int) -> bool:
        """Whether a task is in this part. Ids that differ by a fixed step do not all fall into one."""
        return (task_id * _SCATTER >> 16) % self.count == self.rank


class Registry:
    """Keeps one entry in rota_scheduler alive. Used by the loop's thread only."""

    def __init__(self, *, version: str = "") -> None:
        self._version = version
        self._host = socket.gethostname()
        self.name = f"{self._host}-{os.getpid()}"
        self._id: int | None = None
        self._live: list[int] = []

    @property
    def share(self) -> Share:
        """This scheduler's place among those that live, as of the last heartbeat; alone before the first."""
        if self._id is None or self._id not in self._live:
            return Share()
        return Share(self._live.index(self._id), len(self._live))

    def beat(self, conn: Connection, *, lag_seconds: float, counts: Mapping[str, int]) -> None:
        """Say that it lives, and hear who else does; enter it when it is not entered. Raises psycopg.Error.

        ``lag_seconds`` is how late it fired at the worst since the last heartbeat, ``counts`` what it has done
        since it started.
        """
        live = None
        if self._id is not None:
            live = beat(conn, scheduler_id=self._id, lag_seconds=lag_seconds, counts=counts)
        if live is None:
            self._id = register_scheduler(conn, name=self.name, host=self._host, pid=os.getpid(), version=self._version)
            live = beat(conn, scheduler_id=self._id, lag_seconds=lag_seconds, counts=counts)
        self._live = live or []

    def sweep(self, conn: Connection) -> int:
        """Forget schedulers that are long gone; return how many. Raises psycopg.Error."""
        return sweep_schedulers(conn)

    def leave(self, conn: Connection) -> None:
        """Mark the entry as stopped, if that is possible."""
        if self._id is not None:
            try:
                leave_scheduler(conn, scheduler_id=self._id)
            except psycopg.Error:
                # Then it is found out by its silence.
                return
            self._id = None
