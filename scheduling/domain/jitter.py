"""Jitter: by how much each tick starts later than its nominal moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

_NONE = timedelta(0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SPAN = 1 << 64


def jitter_of(task_id: int, tick: datetime, jitter_seconds: int, next_tick: datetime | None) -> timedelta:
    """Return how much later than ``tick`` it starts: the same for a task and a tick each time it is asked.

    At least nothing, less than ``jitter_seconds``, and always before ``next_tick`` (None: there is no further
    one). It is drawn evenly from that span by a hash of both, so that tasks which share a schedule spread, and
    every scheduler and every preview comes to the same moment. ``tick`` and ``next_tick`` are aware.
    """
    if jitter_seconds <= 0:
        return _NONE
    longest = timedelta(seconds=jitter_seconds)
    if next_tick is not None:
        longest = min(longest, next_tick - tick)
    if longest <= _NONE:
        return _NONE
    instant = (tick - _EPOCH) // _MICROSECOND
    drawn = int.from_bytes(blake2b(f"{task_id}:{instant}".encode(), digest_size=8).digest(), "big")
    # Whole numbers all the way: a fraction of a float could be rounded up to the next tick itself.
    return timedelta(microseconds=(longest // _MICROSECOND) * drawn // _SPAN)
