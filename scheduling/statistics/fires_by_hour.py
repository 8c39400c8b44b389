"""Fires by hour: what the definitions of all tasks say about the days to come.

Tasks with one schedule are counted together, and what a schedule does on a day is remembered, so that a hundred
thousand tasks cost about as much as the few thousand schedules that they share.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.domain.triggers.interval import IntervalTrigger
from scheduling.domain.triggers.registry import EPOCH
from scheduling.statistics.scope import Scope
from scheduling.statistics.shared_schedules import DAY, HOUR, Schedule, schedules

#: Walking schedules that nobody has asked about yet may take so long (seconds); the next question goes on from there.
PATIENCE_SECONDS = 1.5

#: A day with more fires of one schedule is counted hour by hour and not walked.
_FEW = 36


@dataclass(kw_only=True, slots=True)
class FiresByHour:
    """How many fires each hour brings, by the beginning of the hour in UTC; hours without any are left out."""

    counts: dict[datetime, int] = field(default_factory=dict)
    #: Tasks whose schedules have not been walked yet; asking again goes on.
    tasks_left: int = 0


def fires_by_hour(
    scope: Scope,
    *,
    since: datetime,
    until: datetime,
    patience_seconds: float = PATIENCE_SECONDS,
    among: Sequence[Schedule] | None = None,
) -> FiresByHour:
    """Return how many ticks the enabled tasks of ``scope`` have in each hour from ``since`` to ``until``.

    Both are full hours. Calendars may skip a tick, and a fixed delay counts as if its work took no time. ``among`` are
    the schedules, if they have been read for this time or a longer one already; else they cost two queries.
    """
    found = FiresByHour()
    first_day = since.astimezone(UTC).replace(hour=0)
    days = [first_day + number * DAY for number in range((until - first_day + DAY - INSTANT) // DAY)]
    deadline = time.monotonic() + patience_seconds
    together: dict[Trigger, int] = {}
    for schedule in schedules(scope, since=since, until=until) if among is None else among:
        together[schedule.trigger] = together.get(schedule.trigger, 0) + schedule.task_count
    totals = [0] * (24 * len(days))
    for trigger, task_count in together.items():
        if time.monotonic() > deadline:
            found.tasks_left += task_count
            continue
        row = _fires_of_days(trigger, first_day, len(days))
        totals = [total + task_count * count for total, count in zip(totals, row, strict=True)]
    hours = ((first_day + number * HOUR, total) for number, total in enumerate(totals) if total)
    found.counts = {at: total for at, total in hours if since <= at < until}
    return found


def fires_within(trigger: Trigger, since: datetime, until: datetime) -> int:
    """Return how many fires lie in [``since``, ``until``), both full hours."""
    return trigger.count_between(since - INSTANT, until - INSTANT, cap=1_000_000)


def fires_of_hours(trigger: Trigger, since: datetime, until: datetime) -> int:
    """Return what `fires_within` does, from what is remembered of the days in UTC."""
    if isinstance(trigger, IntervalTrigger):
        return fires_within(trigger, since, until)
    hours = (since.astimezone(UTC) + number * HOUR for number in range((until - since) // HOUR))
    return sum(dict(_fires_of_day(trigger, hour.replace(hour=0))).get(hour.hour, 0) for hour in hours)


@lru_cache(maxsize=4)
def _before_hours(first_day: datetime, days: int) -> tuple[int, ...]:
    """Return the last microsecond before each hour of so many days, and before the day after them."""
    first = (first_day - EPOCH) // INSTANT - 1
    return tuple(first + hour * (HOUR // INSTANT) for hour in range(24 * days + 1))


@lru_cache(maxsize=1 << 13)
def _fires_of_days(trigger: Trigger, first_day: datetime, days: int) -> tuple[int, ...]:
    """Return how many fires each hour of so many days of UTC has."""
    if isinstance(trigger, IntervalTrigger):
        return tuple(trigger.counts_between(_before_hours(first_day, days)))
    counts = [0] * (24 * days)
    for day in range(days):
        for hour, count in _fires_of_day(trigger, first_day + day * DAY):
            counts[24 * day + hour] = count
    return tuple(counts)


@lru_cache(maxsize=1 << 16)
def _fires_of_day(trigger: Trigger, day: datetime) -> tuple[tuple[int, int], ...]:
    """Return the hours of a day of UTC that have fires, with their numbers; most schedules have few."""
    counts = [0] * 24
    after, end = day - INSTANT, day + DAY
    for _ in range(_FEW):
        fire = trigger.next_after(after)
        if fire is None or fire >= end:
            return _with_fires(counts)
        counts[fire.hour] += 1
        after = fire
    return _with_fires([fires_within(trigger, day + hour * HOUR, day + (hour + 1) * HOUR) for hour in range(24)])


def _with_fires(counts: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((hour, count) for hour, count in enumerate(counts) if count)
