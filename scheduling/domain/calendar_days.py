"""A calendar as days on a page: what is blacked out, wholly or in part, and what runs after all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from scheduling.domain.calendars import Calendar, Effect, Rule, find_blackout

_MIDNIGHT = time()


class DayState(StrEnum):
    """What a calendar says about a day."""

    OPEN = "open"
    #: It would be blacked out, at least in part, and an inclusion has tasks run after all.
    INCLUDED = "included"
    #: Some hours of it are blacked out.
    PARTLY = "partly"
    BLACKED_OUT = "blacked_out"


@dataclass(frozen=True, slots=True)
class Day:
    """One day and the rules that have a say about it, inclusions first."""

    day: date
    state: DayState
    rules: tuple[Rule, ...]


def read_day(calendar: Calendar, day: date) -> Day:
    """Return what ``calendar`` says about ``day``, from midnight to midnight on the wall clock."""
    rules = [rule for rule in calendar.rules if any(rule.covers(moment) for moment in _moments(rule, day))]
    moments = {moment for rule in rules for moment in _moments(rule, day)} or {datetime.combine(day, _MIDNIGHT)}
    blacked_out = [find_blackout([calendar], moment) is not None for moment in moments]
    if all(blacked_out):
        state = DayState.BLACKED_OUT
    elif any(blacked_out):
        state = DayState.PARTLY
    elif any(rule.effect is Effect.INCLUSION for rule in rules):
        state = DayState.INCLUDED
    else:
        state = DayState.OPEN
    rules.sort(key=lambda rule: (rule.effect is not Effect.INCLUSION, rule.from_time or _MIDNIGHT))
    return Day(day, state, tuple(rules))


def read_days(calendar: Calendar, first: date, last: date) -> list[Day]:
    """Return the days from ``first`` to ``last``, both included."""
    count = (last - first).days + 1
    return [read_day(calendar, first + timedelta(days=number)) for number in range(count)]


def _moments(rule: Rule, day: date) -> list[datetime]:
    """Return the moments of ``day`` at which the rule's answer can change; between two of them it is the same."""
    times = {_MIDNIGHT, rule.from_time or _MIDNIGHT, rule.until_time or _MIDNIGHT}
    return [datetime.combine(day, each) for each in sorted(times)]
