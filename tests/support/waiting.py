"""Waiting for a condition; the only place in the tests that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: How many sessions of this test's database wait for a lock. Other tests run on the same server: ``pg_locks`` has
#: theirs as well, and a wait for another transaction belongs to no database there.
WAITING_FOR_A_LOCK = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def wait_until(condition: Callable[[], T], *, seconds: float = 30.0, what: str = "") -> T:
    """Return the first true value of ``condition``; fail with ``what`` when none comes within ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or condition}")
        time.sleep(0.02)
