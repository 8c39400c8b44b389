"""Calendars: on which days and hours tasks do not run, or run after all.

Rules are read on a wall clock: all datetimes in and out of this module's rules are naive local times. Which
zone's wall clock that is, `TaskCalendars` knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from scheduling.domain.errors import InvalidField, gettext_noop
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.domain.triggers.walk import latest_fire


class Effect(StrEnum):
    """What a rule does to the moments that it covers."""

    BLACKOUT = "blackout"
    #: It wins over every blackout: a make-up working day overrules the weekend.
    INCLUSION = "inclusion"


class RuleKind(StrEnum):
    """Which days a rule is about. Each may be narrowed to hours of the day."""

    #: One date, or a range of them.
    DATES = "dates"
    #: The same day each year.
    YEARLY = "yearly"
    WEEKDAYS = "weekdays"
    #: Every day.
    HOURS = "hours"


_DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIELDS = frozenset({"first_day", "last_day", "month", "day", "weekdays"})
_FIELDS_OF: dict[RuleKind, frozenset[str]] = {
    RuleKind.DATES: frozenset({"first_day", "last_day"}),
    RuleKind.YEARLY: frozenset({"month", "day"}),
    RuleKind.WEEKDAYS: frozenset({"weekdays"}),
    RuleKind.HOURS: frozenset(),
}

_DAY = timedelta(days=1)
_MIDNIGHT = time()
#: A search for a moment that is not blacked out gives up after so many spans: some three years of days.
MAX_SPANS = 1200


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule of a calendar. Fields that its kind does not use are empty.

    ``weekdays`` are ISO numbers (1 is Monday). ``from_time`` is included and ``until_time`` is not; without
    either the whole day is meant. An ``until_time`` that is not later than ``from_time`` lies on the next day, and
    those hours belong to the day on which they began.
    """

    effect: Effect = Effect.BLACKOUT
    kind: RuleKind = RuleKind.DATES
    first_day: date | None = None
    last_day: date | None = None
    month: int | None = None
    day: int | None = None
    weekdays: tuple[int, ...] = ()
    from_time: time | None = None
    until_time: time | None = None
    note: str = ""

    def covers(self, local: datetime) -> bool:
        """Tell whether the rule is about this local time."""
        start, end = self.from_time or _MIDNIGHT, self.until_time
        if end is None:
            return local.time() >= start and self.names(local.date())
        if self.from_time is None or start < end:
            return start <= local.time() < end and self.names(local.date())
        if local.time() >= start and self.names(local.date()):
            return True
        # Before the first day that there is, there is no night to go on.
        return local.time() < end and local.date() > date.min and self.names(local.date() - _DAY)

    def names(self, day: date) -> bool:
        """Tell whether ``day`` is one of the rule's days, whatever the hour."""
        if self.kind is RuleKind.DATES:
            return self.first_day is not None and self.first_day <= day <= (self.last_day or self.first_day)
        if self.kind is RuleKind.YEARLY:
            return (day.month, day.day) == (self.month, self.day)
        if self.kind is RuleKind.WEEKDAYS:
            return day.isoweekday() in self.weekdays
        return True

    def check(self) -> None:
        """Raise InvalidField for the first field that is missing, does not fit, or means nothing for its kind."""
        for name in sorted(_FIELDS.difference(_FIELDS_OF[self.kind])):
            if getattr(self, name):
                raise InvalidField(name, gettext_noop("A rule of this kind does not use this; leave it empty."))
        if self.kind is RuleKind.DATES:
            if self.first_day is None:
                raise InvalidField("first_day", gettext_noop("Give the date, or the first of several."))
            if self.last_day is not None and self.last_day < self.first_day:
                raise InvalidField("last_day", gettext_noop("The last day lies before the first."))
        if self.kind is RuleKind.YEARLY:
            if self.month is None or not 1 <= self.month <= 12:
                raise InvalidField("month", gettext_noop("Give a month from 1 to 12."))
            if self.day is None or not 1 <= self.day <= _DAYS_OF_MONTH[self.month - 1]:
                raise InvalidField(
                    "day", gettext_noop("Give a day from 1 to %(limit)d."), {"limit": _DAYS_OF_MONTH[self.month - 1]}
                )
        if self.kind is RuleKind.WEEKDAYS and not (self.weekdays and set(self.weekdays) <= set(range(1, 8))):
            raise InvalidField("weekdays", gettext_noop("Give days of the week, from 1 (Monday) to 7 (Sunday)."))
        if self.kind is RuleKind.HOURS and self.from_time is None and self.until_time is None:
            raise InvalidField("from_time", gettext_noop("Say from when, until when, or both."))
        if self.from_time is not None and self.from_time == self.until_time:
            raise InvalidField("until_time", gettext_noop("For the whole day, leave both times empty."))


@dataclass(frozen=True, slots=True)
class Calendar:
    """A name and its rules."""

    name: str
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Blackout:
    """Why a moment is blacked out: the calendar, and its rule that says so."""

    calendar: str
    rule: Rule

    @property
    def sentence(self) -> str:
        """The reason as a sentence, in English."""
        note = f": {self.rule.note}" if self.rule.note else ""
        return f"Blacked out by the calendar “{self.calendar}”{note}."


def find_inclusion(calendars: Sequence[Calendar], local: datetime) -> Blackout | None:
    """Return the first inclusion of any of ``calendars`` that covers ``local``, or None."""
    return _find(Effect.INCLUSION, calendars, local)


def find_blackout(calendars: Sequence[Calendar], local: datetime) -> Blackout | None:
    """Return why ``local`` is blacked out, or None when it is not.

    It is blacked out when a rule of any of ``calendars`` says so and no inclusion of any of them covers it.
    """
    blackout = _find(Effect.BLACKOUT, calendars, local)
    return None if blackout is None or find_inclusion(calendars, local) else blackout


def _find(effect: Effect, calendars: Sequence[Calendar], local: datetime) -> Blackout | None:
    for calendar in calendars:
        for rule in calendar.rules:
            if rule.effect is effect and rule.covers(local):
                return Blackout(calendar.name, rule)
    return None


class TaskCalendars:
    """The calendars of tasks in one time zone, on its wall clock. All datetimes in and out are aware.

    Tasks with the same calendars and zone may share one, whose answers are then remembered for all of them.
    """

    def __init__(self, calendars: Sequence[Calendar], timezone: str) -> None:
        self.calendars = tuple(calendars)
        self._zone = ZoneInfo(timezone)
        times = {_MIDNIGHT}
        for rule in (rule for calendar in self.calendars for rule in calendar.rules):
            times.update(each for each in (rule.from_time, rule.until_time) if each is not None)
        #: The times of day at which an answer can change.
        self._cuts = sorted(times)

    def blackout(self, moment: datetime) -> Blackout | None:
        """Return why ``moment`` is blacked out, or None when it is not; equal questions are looked up once."""
        return _remembered_blackout(self, moment)

    def find(self, moment: datetime) -> Blackout | None:
        """Look up why ``moment`` is blacked out, or None when it is not."""
        return find_blackout(self.calendars, self._local(moment))

    def latest_allowed(self, trigger: Trigger, after: datetime, until: datetime) -> datetime | None:
        """Return the last fire later than ``after`` and not later than ``until`` that is not blacked out.

        None when there is none, or none within the last `MAX_SPANS` spans of the calendars.
        """
        for _ in range(MAX_SPANS):
            fire = latest_fire(trigger, after, until)
            if fire is None:
                return None
            if self.blackout(fire) is None:
                return fire
            # Between two cuts the answer is the same, so nothing that lies between the cut and this fire runs.
            until = self._span_start(fire) - INSTANT
        return None

    def first_allowed(self, trigger: Trigger, after: datetime, until: datetime) -> datetime | None:
        """Return the first fire later than ``after`` and not later than ``until`` that is not blacked out.

        None when there is none, or none within the first `MAX_SPANS` spans of the calendars.
        """
        for _ in range(MAX_SPANS):
            fire = trigger.next_after(after)
            if fire is None or fire > until:
                return None
            if self.blackout(fire) is None:
                return fire
            after = max(fire, self._span_end(fire) - INSTANT)
        return None

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None, fold=0)

    def _span_start(self, moment: datetime) -> datetime:
        """Return the instant of the last cut not later than ``moment``; of an hour that comes twice, the later."""
        local = self._local(moment)
        cut = datetime.combine(local.date(), max(each for each in self._cuts if each <= local.time()))
        return max((each for each in self._instants(cut) if each <= moment), default=moment)

    def _span_end(self, moment: datetime) -> datetime:
        """Return the instant of the first cut later than ``moment``; of an hour that comes twice, the earlier."""
        local = self._local(moment)
        later = [each for each in self._cuts if each > local.time()]
        cut = datetime.combine(local.date(), later[0]) if later else datetime.combine(local.date() + _DAY, _MIDNIGHT)
        return min((each for each in self._instants(cut) if each > moment), default=moment)

    def _instants(self, local: datetime) -> Iterator[datetime]:
        for fold in (0, 1):
            yield local.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)


# A scheduler's tasks share few calendars and few moments.
@lru_cache(maxsize=1 << 14)
def _remembered_blackout(calendars: TaskCalendars, moment: datetime) -> Blackout | None:
    return calendars.find(moment)
