"""Batches of due clocks: small at first, so that workers begin at once; then large, which costs less for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from scheduling.engine.fire import PreparedTicks
from scheduling.runtime.clock_reader import KnownClock

#: How many clocks the first batch has, and how many times as many each one after it, up to the most.
FIRST, GROWTH = 128, 4


class FireBatch:
    """Clocks that are fired in one statement, and what is to be done about each, decided at one moment."""

    def __init__(self, clocks: Sequence[KnownClock], now: datetime) -> None:
        self.clocks = clocks
        self.prepared = PreparedTicks([clock.tick(now) for clock in clocks])


def in_batches(clocks: Sequence[KnownClock], now: datetime, *, most: int) -> Iterator[FireBatch]:
    """Yield ``clocks`` in batches of up to ``most``; each is decided when it is asked for."""
    start, size = 0, min(FIRST, most)
    while start < len(clocks):
        yield FireBatch(clocks[start : start + size], now)
        start += size
        size = min(size * GROWTH, most)
