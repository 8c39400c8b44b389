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
    began = time.monotonic()
    deadline = began + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or condition}")
        # What takes long is asked for less often: the asking takes its time from those who are to bring it about.
        time.sleep(min(0.1, max(0.02, (time.monotonic() - began) / 20)))
