"""Periods: which schedule a task followed from when on, which ticks it had, and which of them a change passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise

from scheduling.domain.misfire import MISSED_COUNT_CAP
from scheduling.domain.states import Reason
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.domain.triggers.walk import fires_between, latest_fire

#: Two schedules overlap for a minute at most, and nothing fires more often than ten times a second.
MOST_SINGLE = 1000


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


def find_change(tick: datetime, index: int, periods: Sequence[Period]) -> Period | None:
    """Return the change that passed over ``tick``, one of the period at ``index``; None when none did.

    One that the new schedule has as well, and had yet to decide, goes on as a tick of that one.
    """
    change = None
    for later in periods[index + 1 :]:
        if later.begins_at < tick <= later.ends_previous_at and later.yields(tick):
            change = None
        elif change is None and later.undecided_after is not None and later.undecided_after < tick:
            change = later if tick <= later.ends_previous_at else None
    return change


def find_passed_over(periods: Sequence[Period], index: int) -> PassedOver | None:
    """Return what the change at ``index`` passed over; None when there was no such tick.

    ``periods`` are those of one task up to that change, and reach back as far as the undecided moments.
    """
    change = periods[index]
    if change.undecided_after is None:
        return None
    known = periods[: index + 1]
    # Where two schedules overlap, for some seconds at most, each tick is looked at; elsewhere they are counted.
    single: dict[datetime, int] = {}
    low = change.undecided_after
    for each in known[1:]:
        if each.undecided_after is None:
            continue
        start = max(each.begins_at, change.undecided_after)
        shared = ticks_of(known[:index], start=start + INSTANT, end=each.ends_previous_at, limit=MOST_SINGLE)
        single |= {tick: owner for tick, owner in shared if find_change(tick, owner, known) is change}
        if each is not change:
            low = max(low, each.ends_previous_at)
    high = min(change.begins_at, change.ends_previous_at)
    count, first, latest = 0, None, None
    for position, (period, following) in enumerate(pairwise(known)):
        begin, end = max(low, period.begins_at), min(high, following.ends_previous_at)
        if period.trigger is None or begin >= end or (fire := latest_fire(period.trigger, begin, end)) is None:
            continue
        count += period.trigger.count_between(begin, end, cap=MISSED_COUNT_CAP)
        first = first or period.trigger.next_after(begin)
        latest = (fire, position)
    if first is not None and latest is not None:
        single |= {first: latest[1], latest[0]: latest[1]}
        count += len(single.keys() - {first, latest[0]})
    else:
        count = len(single)
    if not single:
        return None
    at = max(single)
    last = periods[single[at]]
    return PassedOver(
        at=at,
        since=min(single),
        count=min(count, MISSED_COUNT_CAP),
        reason=Reason.EDITED if last.enabled else Reason.PAUSED,
        version=last.version,
    )
