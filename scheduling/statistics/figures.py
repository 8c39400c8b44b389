"""Counts: how instances ended and how long they took, for one slot of a chart or one line of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from scheduling.domain.histogram import NEVER_STARTED, Histogram
from scheduling.domain.states import InstanceState


@dataclass(kw_only=True, slots=True)
class Counts:
    """Numbers that can be added up."""

    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    skipped: int = 0
    #: Of those that succeeded or failed; what was cancelled says little about how long the work takes.
    durations: Histogram = field(default_factory=Histogram)
    #: How late they started together, and how many did.
    waited: timedelta = timedelta(0)
    started: int = 0

    def add(self, outcome: str, bucket: int, count: int, lasted: timedelta, waited: timedelta) -> None:
        """Add a row of the statistics."""
        setattr(self, outcome, getattr(self, outcome) + count)
        if outcome in (InstanceState.SUCCEEDED, InstanceState.FAILED):
            self.durations.add(bucket, count, lasted)
        if bucket != NEVER_STARTED:
            self.started += count
            self.waited += waited

    @property
    def total(self) -> int:
        """How many ended, skipped ones included."""
        return self.succeeded + self.failed + self.cancelled + self.skipped

    @property
    def success_ratio(self) -> float | None:
        """The share of successes among what succeeded or failed; None without any.

        What was skipped or cancelled did neither.
        """
        decided = self.succeeded + self.failed
        return self.succeeded / decided if decided else None

    @property
    def mean_seconds(self) -> float | None:
        """The mean duration, from the first start to the end."""
        return _seconds(self.durations.mean)

    @property
    def p95_seconds(self) -> float | None:
        """About the duration that 95 of 100 do not exceed."""
        return _seconds(self.durations.quantile(0.95))

    @property
    def mean_late_seconds(self) -> float | None:
        """The mean time from the moment that an instance was meant for to its start."""
        return _seconds(self.waited / self.started) if self.started else None


def _seconds(lasted: timedelta | None) -> float | None:
    return None if lasted is None else lasted.total_seconds()
