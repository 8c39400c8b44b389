"""Durations in classes: how many instances took how long, in a form that can be added up.

Class 0 is below 1 ms, class n from 2^(n-1) to below 2^n milliseconds, class 31 everything above; class -1 holds what
never started. Each class knows its exact sum, so a mean is exact, and a quantile is the mean of the class that it
falls into: never off by more than the width of a class, and exact where durations hardly differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

#: The class of instances that ended without having started.
NEVER_STARTED = -1
LAST_BUCKET = 31


def bounds_of_bucket(bucket: int) -> tuple[timedelta, timedelta | None]:
    """Return the shortest duration of a class, and the one that is too long for it (None for the last class)."""
    lower = timedelta(0) if bucket <= 0 else timedelta(milliseconds=2 ** (bucket - 1))
    return lower, None if bucket >= LAST_BUCKET else timedelta(milliseconds=2 ** max(bucket, 0))


@dataclass(slots=True)
class Histogram:
    """Durations by class; what never started is left out."""

    counts: dict[int, int] = field(default_factory=dict)
    sums: dict[int, timedelta] = field(default_factory=dict)

    def add(self, bucket: int, count: int, total: timedelta) -> None:
        """Add ``count`` durations of class ``bucket`` that took ``total`` together."""
        if bucket != NEVER_STARTED:
            self.counts[bucket] = self.counts.get(bucket, 0) + count
            self.sums[bucket] = self.sums.get(bucket, timedelta(0)) + total

    @property
    def count(self) -> int:
        """How many durations there are."""
        return sum(self.counts.values())

    @property
    def mean(self) -> timedelta | None:
        """The exact mean; None without durations."""
        return sum(self.sums.values(), timedelta(0)) / self.count if self.counts else None

    def quantile(self, share: float) -> timedelta | None:
        """Return about the duration that ``share`` (0 to 1) of them do not exceed; None without durations."""
        wanted, seen = share * self.count, 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return self.sums[bucket] / self.counts[bucket]
        return None
