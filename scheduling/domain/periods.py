"""Periods: which schedule a task followed from when on, which ticks it had, and which of them a change passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from scheduling.domain.misfire import MISSED_COUNT_CAP
from scheduling.domain.states import Reason
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.domain.triggers.walk import latest_fire


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

    ``periods`` are in the order in which they were opened.
    """
    ticks: list[tuple[datetime, int]] = []
    for index, period in enumerate(periods):
        if period.trigger is None:
            continue
        if len(ticks) >= limit and period.begins_at >= max(ticks)[0]:
            break
        last = end
        if index + 1 < len(periods):
            last = min(last, periods[index + 1].ends_previous_at)
        moment = max(period.begins_at, start - INSTANT)
        found = 0
        while found < limit and (tick := period.trigger.next_after(moment)) is not None and tick <= last:
            ticks.append((tick, index))
            moment = tick
            found += 1
    return sorted(ticks)[:limit]


def range_of(tick: datetime, index: int, periods: Sequence[Period]) -> Period | None:
    """Return the change that passed over ``tick``, one of the period at ``index``; None when none did."""
    for later in periods[index + 1 :]:
        if later.undecided_after is not None and later.undecided_after < tick <= later.ends_previous_at:
            return later
    return None


def find_passed_over(periods: Sequence[Period], index: int) -> PassedOver | None:
    """Return what the change at ``index`` passed over; None when there was no such tick.

    ``periods`` are those of one task up to that change, and reach back as far as the undecided moments.
    """
    change = periods[index]
    if change.undecided_after is None:
        return None
    # What an earlier change has passed over is not passed over again.
    earlier = [each.ends_previous_at for each in periods[:index] if each.undecided_after is not None]
    start, end = max([change.undecided_after, *earlier]), change.ends_previous_at
    latest = first = None
    reason, version, count = Reason.EDITED, 0, 0
    for period, following in pairwise(periods[: index + 1]):
        if period.trigger is None:
            continue
        low, high = max(start, period.begins_at), min(end, following.ends_previous_at)
        fire = latest_fire(period.trigger, low, high) if low < high else None
        if fire is None:
            continue
        count += period.trigger.count_between(low, high, cap=MISSED_COUNT_CAP)
        oldest = period.trigger.next_after(low)
        first = oldest if first is None else first
        latest, version = fire, period.version
        reason = Reason.EDITED if period.enabled else Reason.PAUSED
    if latest is None or first is None:
        return None
    return PassedOver(at=latest, since=first, count=min(count, MISSED_COUNT_CAP), reason=reason, version=version)
