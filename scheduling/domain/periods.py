"""Periods: which schedule a task followed from when on, which ticks it had, and which of them a change passed over."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise

from scheduling.domain.misfire import MISSED_COUNT_CAP
from scheduling.domain.states import Reason
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.domain.triggers.walk import fires_between, latest_fire


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """A stretch with one schedule: its ticks are those of the trigger later than ``begins_at``.

    They end with ``took_over_at`` of the next period, that moment included. ``undecided_after`` is set where the
    clock began anew: earlier ticks later than this had not been decided, and were passed over. ``to_record`` says
    that a scheduler has yet to write that down. ``trigger`` None: it had no ticks of its own, or could not be read.
    """

    begins_at: datetime
    enabled: bool
    trigger: Trigger | None
    took_over_at: datetime | None = None
    undecided_after: datetime | None = None
    to_record: bool = False
    version: int = 0

    def yields(self, moment: datetime) -> bool:
        """Tell whether ``moment`` is a tick of the schedule."""
        return self.trigger is not None and self.trigger.next_after(moment - INSTANT) == moment

    @property
    def ends_previous_at(self) -> datetime:
        """The last moment whose tick belongs to the period before this one."""
        return self.took_over_at or self.begins_at


@dataclass(frozen=True, kw_only=True, slots=True)
class PassedOver:
    """The ticks that one change passed over, taken together: the latest, the first, and how many.

    From `MISSED_COUNT_CAP` on, ``count`` means "at least". ``version`` is the one whose tick the latest was.
    """

    at: datetime
    since: datetime
    count: int
    reason: Reason
    version: int

    @property
    def message(self) -> str:
        """Why they did not run, as a sentence in English."""
        edited = self.reason is Reason.EDITED
        if self.count == 1:
            return (
                "The schedule was edited before a scheduler had taken this tick up."
                if edited
                else "The task was paused, and its schedule began anew before this tick was decided."
            )
        count = f"at least {self.count}" if self.count >= MISSED_COUNT_CAP else str(self.count)
        why = (
            "the schedule was edited before a scheduler had taken them up"
            if edited
            else "the task was paused, and its schedule began anew before they were decided"
        )
        return f"Stands for {count} ticks since {self.since:%Y-%m-%d %H:%M:%S} UTC: {why}."


def ticks_of(periods: Sequence[Period], *, start: datetime, end: datetime, limit: int) -> list[tuple[datetime, int]]:
    """Return the first ``limit`` ticks in [``start``, ``end``], each with the index of its period, oldest first.

    ``periods`` are in the order in which they were opened; a tick of two schedules belongs to the newer one.
    """
    ticks: dict[datetime, int] = {}
    for index, period in enumerate(periods):
        if period.trigger is None:
            continue
        if len(ticks) >= limit and period.begins_at >= max(ticks):
            break
        last = end
        if index + 1 < len(periods):
            last = min(last, periods[index + 1].ends_previous_at)
        fires = fires_between(period.trigger, max(period.begins_at, start - INSTANT), last)
        ticks.update(dict.fromkeys(islice(fires, limit), index))
    return sorted(ticks.items())[:limit]


def find_change(tick: datetime, index: int, periods: Sequence[Period]) -> int | None:
    """Return the index of the change that passed over ``tick``, one of the period at ``index``; None when none did.

    One that the new schedule has as well, and had yet to decide, goes on as a tick of that one.
    """
    change = None
    for position in range(index + 1, len(periods)):
        later = periods[position]
        if tick > later.ends_previous_at:
            continue
        if later.begins_at < tick and later.yields(tick):
            change = None
        elif change is None and later.undecided_after is not None and later.undecided_after < tick:
            change = position
    return change


def find_passed_over(periods: Sequence[Period], changes: Collection[int]) -> dict[int, PassedOver]:
    """Return what the changes at these indexes passed over; those that passed over nothing are missing.

    ``periods`` are those of one task, and reach back as far as the undecided moments of the changes.
    """
    zones = _overlaps(periods)
    found = {index: _Sum() for index in changes}
    # Where two schedules overlap, for some seconds after an edit, each tick is looked at; elsewhere they are counted.
    for begin, end in zones:
        for tick, owner in ticks_of(periods, start=begin + INSTANT, end=end, limit=sys.maxsize):
            place = find_change(tick, owner, periods)
            if place in found:
                found[place].add(tick, tick, 1, periods[owner])
    for index, passed in found.items():
        change = periods[index]
        if change.undecided_after is None:
            continue
        # What an earlier change has passed over is not passed over again.
        earlier = [each.ends_previous_at for each in periods[:index] if each.undecided_after is not None]
        start = max([change.undecided_after, *earlier])
        for begin, end in _outside(zones, start, change.ends_previous_at):
            for period, following in pairwise(periods[: index + 1]):
                low, high = max(begin, period.begins_at), min(end, following.ends_previous_at)
                if period.trigger is None or low >= high:
                    continue
                first, last = period.trigger.next_after(low), latest_fire(period.trigger, low, high)
                if first is not None and last is not None:
                    count = period.trigger.count_between(low, high, cap=MISSED_COUNT_CAP)
                    passed.add(first, last, count, period)
    return {index: passed.whole() for index, passed in found.items() if passed.count}


class _Sum:
    """Ticks that are taken together, as they are found."""

    def __init__(self) -> None:
        self.count = 0
        self._since = self._at = datetime.min.replace(tzinfo=UTC)
        self._last: Period | None = None

    def add(self, first: datetime, last: datetime, count: int, period: Period) -> None:
        """Take in so many ticks of ``period``."""
        if not self.count or first < self._since:
            self._since = first
        if not self.count or last > self._at:
            self._at, self._last = last, period
        self.count += count

    def whole(self) -> PassedOver:
        """Return all of them; there is one at least."""
        assert self._last is not None  # noqa: S101 - asked for after something was added
        return PassedOver(
            at=self._at,
            since=self._since,
            count=min(self.count, MISSED_COUNT_CAP),
            reason=Reason.EDITED if self._last.enabled else Reason.PAUSED,
            version=self._last.version,
        )


def _overlaps(periods: Sequence[Period]) -> list[tuple[datetime, datetime]]:
    """Return the stretches, begin excluded, in which more than one schedule counts; in order, none touching another."""
    merged: list[tuple[datetime, datetime]] = []
    for begin, end in sorted((each.begins_at, each.ends_previous_at) for each in periods[1:]):
        if begin >= end:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def _outside(
    zones: Sequence[tuple[datetime, datetime]], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the parts of (``start``, ``end``] that lie in none of ``zones``."""
    for begin, until in zones:
        if start < min(begin, end):
            yield start, min(begin, end)
        start = max(start, until)
    if start < end:
        yield start, end
