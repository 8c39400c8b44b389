"""Do calendars leave a task any tick at all?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from scheduling.domain import calendars as domain
from scheduling.domain.triggers.base import Trigger
from scheduling.models import Calendar, CalendarRule

#: A task that finds no tick which its calendars allow for so long will not find one later either.
LONGEST_BLACKOUT = timedelta(days=366)


def read_calendar(calendar: Calendar, rules: Iterable[CalendarRule] | None = None) -> domain.Calendar:
    """Return ``calendar`` as the domain reads it, with its stored rules or with ``rules`` instead."""
    chosen = calendar.rules.all() if rules is None else rules
    return domain.Calendar(calendar.name, tuple(rule.as_rule() for rule in chosen))


def blacks_out_everything(
    trigger: Trigger, timezone: str, calendars: Sequence[domain.Calendar], *, now: datetime
) -> domain.Blackout | None:
    """Return why the next tick does not run, when none of the ticks within a year from it does; None otherwise.

    A trigger that yields no further tick is not the calendars' fault: None.
    """
    if not calendars or (first := trigger.next_after(now)) is None:
        return None
    found = domain.TaskCalendars(calendars, timezone)
    if found.first_allowed(trigger, now, first + LONGEST_BLACKOUT) is not None:
        return None
    return found.blackout(first)
