"""Surroundings: what a scheduler's loop finds around it. In production the defaults; on a virtual clock, others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from scheduling.db import Connection, own_connection
from scheduling.domain.clock import Clock, DatabaseClock
from scheduling.notify import Notifier


def connect_as_scheduler() -> Connection:
    """Open a scheduler's own connection; raises psycopg.OperationalError."""
    return own_connection("scheduler", prepares=True)


class FollowingClock(Clock, Protocol):
    """A clock that is set right by the database's now and then."""

    def sync(self, database_now: datetime, *, asked_at: float, answered_at: float) -> None:
        """Take over the database's time; the two monotonic readings (seconds) enclose the question."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """The connection, the clock and the voice of one loop."""

    connect: Callable[[], Connection] = connect_as_scheduler
    clock: FollowingClock = field(default_factory=DatabaseClock)
    notifier: Notifier = field(default_factory=Notifier)
    #: Whether the loop keeps daily partitions ready ahead.
    creates_partitions: bool = True
