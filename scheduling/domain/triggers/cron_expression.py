"""Cron expressions as the local times that they name, before any time zone comes in.

croniter 7 reads the expression and decides about days (names, ranges, steps, lists, ``L``, ``#``, ``W``,
``H``, and the rule of Vixie cron that a day fits when the day of month *or* the day of week fits, if both are
given). The time of day is looked up here, in the three sets of numbers that croniter makes of its fields.
What a field means does not depend on the time of day beside it, so fields and days are read once for all expressions.
"""

import copy
import re
from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from croniter import croniter

from scheduling.domain.errors import InvalidField, gettext_noop

#: Local times outside of these years are never computed.
FIRST_YEAR, LAST_YEAR = 1970, 2199

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_RANGE = re.compile(r"(\w+)-(\w+)(?:/0*[1-9][0-9]*)?", re.ASCII)
_MAX_LENGTH = 1000
_DAY = timedelta(days=1)

# croniter's own order of fields, and what to say about a wrong one.
_FIELD_MESSAGES = (
    gettext_noop("The minute field cannot be “%(value)s”; it takes 0–59, lists, ranges and steps."),
    gettext_noop("The hour field cannot be “%(value)s”; it takes 0–23, lists, ranges and steps."),
    gettext_noop("The day-of-month field cannot be “%(value)s”; it takes 1–31, L, 15W, lists, ranges and steps."),
    gettext_noop("The month field cannot be “%(value)s”; it takes 1–12 or jan–dec, lists, ranges and steps."),
    gettext_noop(
        "The day-of-week field cannot be “%(value)s”; it takes 0–7 or sun–sat (0 and 7 are Sunday), "
        "mon#2 for the second Monday, L5 for the last Friday, lists, ranges and steps."
    ),
    gettext_noop("The second field cannot be “%(value)s”; it takes 0–59, lists, ranges and steps."),
    gettext_noop("The year field cannot be “%(value)s”; it takes 1970–2099, lists, ranges and steps."),
)
_MINUTE, _HOUR, _DAY_OF_MONTH, _MONTH, _DAY_OF_WEEK, _SECOND, _YEAR = range(7)
# Day of the month, month and day of the week; the year is the fourth, if there is one.
_DAYS_FIELDS = 3
# What croniter raises for texts that are not cron; the last three only for absurd ones.
_REFUSALS = (ValueError, LookupError, TypeError, OverflowError)


def _refused(message: str, **params: object) -> InvalidField:
    return InvalidField("cron_expression", message, params)


class _Days:
    """The days that an expression names; many expressions differ in the time of day only and share them."""

    def __init__(self, fields: Sequence[str], hash_id: bytes | None) -> None:
        """Take the fields for the day of the month, the month, the day of the week, and the year if there is one."""
        self._every_day = all(field == "*" for field in fields)
        at_midnight = ["0", "0", *fields[:_DAYS_FIELDS]]
        if len(fields) > _DAYS_FIELDS:
            at_midnight += ["0", *fields[_DAYS_FIELDS:]]
        self._days = croniter(
            " ".join(at_midnight),
            datetime(FIRST_YEAR, 1, 1),  # noqa: DTZ001 - local time, no zone yet
            hash_id=hash_id,
            # Without a year field the calendar repeats within 40 years (29 February as a fifth Monday).
            max_years_between_matches=LAST_YEAR - FIRST_YEAR if len(fields) > _DAYS_FIELDS else 50,
        )
        self.first_from = lru_cache(maxsize=512)(self._find)

    def _find(self, day: date) -> date | None:
        if day.year > LAST_YEAR:
            return None
        if self._every_day:
            return day
        before = datetime.combine(day, time()) - timedelta(seconds=1)
        # croniter keeps its position in the object; a copy of its own makes this safe between threads.
        days = copy.copy(self._days)
        try:
            found: date = days.get_next(datetime, start_time=before).date()
        except (ValueError, OverflowError):  # CroniterBadDateError, or past the end of the calendar
            return None
        return found if found.year <= LAST_YEAR else None


@lru_cache(maxsize=1 << 10)
def _days(fields: tuple[str, ...], hash_id: bytes | None) -> _Days:
    return _Days(fields, hash_id)


class CronExpression:
    """The local times, to the second, that a cron expression names.

    ``fields`` are in croniter's order (minute, hour, day of month, month, day of week[, second[, year]]).
    All datetimes in and out are naive local times.
    """

    def __init__(self, fields: Sequence[str], hash_id: bytes | None) -> None:
        numbers = [_numbers_of(index, value, len(fields), hash_id) for index, value in enumerate(fields)]
        self._minutes = _times(numbers[_MINUTE], 60)
        self._hours = _times(numbers[_HOUR], 24)
        self._seconds = _times(numbers[_SECOND], 60) if len(fields) > _SECOND else (0,)
        self._first_time = (self._hours[0], self._minutes[0], self._seconds[0])
        self._per_day = len(self._hours) * len(self._minutes) * len(self._seconds)
        day_fields = (*fields[_DAY_OF_MONTH:_SECOND], *fields[_YEAR:])
        self._every_day = all(field == "*" for field in day_fields)
        self.first_day_from = _days(day_fields, hash_id).first_from

    def next_local(self, moment: datetime) -> datetime | None:
        """Return the first named local time strictly later than ``moment`` (whole seconds), or None."""
        today = moment.date()
        day = self.first_day_from(today)
        if day == today:
            later = self._later_today(moment.hour, moment.minute, moment.second)
            if later is not None:
                return datetime.combine(today, time(*later))
            day = self.first_day_from(today + _DAY)
        return None if day is None else datetime.combine(day, time(*self._first_time))

    def count_between(self, start: datetime, end: datetime, cap: int) -> int:
        """Count the named times in (``start``, ``end``]; below ``cap`` exactly, else at least ``cap``."""
        if end <= start:
            return 0
        first, last = start.date(), end.date()
        # From midnight of the first day to `end`, less what lies before `start`.
        count = self._count_of_day(last, until=end) - self._count_of_day(first, until=start)
        if self._every_day:
            return count + (last - first).days * self._per_day
        day = self.first_day_from(first)
        while day is not None and day < last and count < cap:
            count += self._per_day
            day = self.first_day_from(day + _DAY)
        return count

    def _count_of_day(self, day: date, until: datetime) -> int:
        """Count the named times of one day that are not later than ``until``, which lies on that day."""
        if self.first_day_from(day) != day:
            return 0
        hours = bisect_right(self._hours, until.hour)
        if not hours or self._hours[hours - 1] != until.hour:
            return hours * len(self._minutes) * len(self._seconds)
        minutes = bisect_right(self._minutes, until.minute)
        count = (hours - 1) * len(self._minutes) * len(self._seconds)
        if not minutes or self._minutes[minutes - 1] != until.minute:
            return count + minutes * len(self._seconds)
        return count + (minutes - 1) * len(self._seconds) + bisect_right(self._seconds, until.second)

    def _later_today(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        hours, minutes, seconds = self._hours, self._minutes, self._seconds
        if hour in hours:
            if minute in minutes and (at := bisect_right(seconds, second)) < len(seconds):
                return hour, minute, seconds[at]
            if (at := bisect_right(minutes, minute)) < len(minutes):
                return hour, minutes[at], seconds[0]
        if (at := bisect_right(hours, hour)) < len(hours):
            return hours[at], minutes[0], seconds[0]
        return None


class ParsedCron:
    """An accepted expression: its local times, and whether it names fixed times on the clock.

    ``fixed_clock`` is False when ``*`` or a step stands in the minute or hour field: such an expression means
    "every so often" and follows elapsed time where the clock is changed.
    """

    def __init__(self, fields: Sequence[str], hash_id: bytes | None) -> None:
        self.times = CronExpression(fields, hash_id)
        self.fixed_clock = not any(sign in fields[index] for index in (_MINUTE, _HOUR) for sign in "*/")


def expand_alias(text: str) -> str:
    """Return the five fields that an alias such as ``@daily`` stands for; any other text as it is, trimmed."""
    stripped = text.strip()
    return _ALIASES.get(stripped.lower(), stripped)


def uses_hash(text: str) -> bool:
    """Tell whether a field of the expression is drawn from the hash of the task's id (``H``)."""
    return re.search(r"(?<!\S)h(?![a-z])", text.lower()) is not None


def parse_cron(text: str, hash_id: str = "") -> ParsedCron:
    """Read a cron expression of 5 fields, 6 (seconds first) or 7 (seconds first, year last), or an alias.

    ``hash_id`` is what ``H`` is drawn from. Raises InvalidField for ``cron_expression``, with the field of
    the expression that is wrong where one can be named. Everything random or tied to a machine's start is
    refused, because all schedulers must come to the same fire times.
    """
    fields = _split(text)
    encoded = hash_id.encode() if hash_id else None
    for index, value in enumerate(fields):
        if value.startswith("r"):
            raise _refused(gettext_noop("“R” is random; use “H”, which stays the same for a task."))
        if uses_hash(value) and encoded is None:
            raise _refused(gettext_noop("“H” cannot be used here, because there is no id to draw it from."))
        try:
            _numbers_of(index, value, len(fields), encoded)
        except _REFUSALS as error:
            raise _refused(_FIELD_MESSAGES[index], value=value) from error
    try:
        parsed = ParsedCron(fields, encoded)
    except _REFUSALS as error:
        raise _refused(
            gettext_noop("The fields of “%(expression)s” cannot be combined."), expression=text.strip()
        ) from error
    if parsed.times.first_day_from(date(FIRST_YEAR, 1, 1)) is None:
        raise _refused(gettext_noop("“%(expression)s” never fires: there is no such day."), expression=text.strip())
    return parsed


def _split(text: str) -> list[str]:
    """Return the fields in croniter's order, in lower case, aliases and question marks replaced."""
    if len(text) > _MAX_LENGTH:
        raise _refused(gettext_noop("The expression is longer than %(limit)d characters."), limit=_MAX_LENGTH)
    stripped = text.strip().lower()
    if not stripped:
        raise _refused(gettext_noop("Enter a cron expression."))
    if stripped.startswith("@"):
        if stripped not in _ALIASES:
            raise _refused(
                gettext_noop("“%(alias)s” cannot be used; there are %(aliases)s."),
                alias=stripped,
                aliases=", ".join(_ALIASES),
            )
        stripped = _ALIASES[stripped]
    # Only the blanks that cron knows: any other stays in its field, which is then refused.
    fields = re.findall(r"\S+", stripped, re.ASCII)
    if len(fields) not in (5, 6, 7):
        raise _refused(
            gettext_noop(
                "A cron expression has 5 fields, 6 (seconds first) or 7 (seconds first, year last); "
                "this one has %(count)d."
            ),
            count=len(fields),
        )
    if len(fields) > _SECOND:
        fields.insert(_SECOND, fields.pop(0))
    for index in (_DAY_OF_MONTH, _DAY_OF_WEEK):
        if fields[index] == "?":
            fields[index] = "*"
    return [",".join(_one_value(part) for part in field.split(",")) for field in fields]


def _one_value(part: str) -> str:
    """Return ``5`` for ``5-5`` and for ``5-5/2``, which croniter would take for the whole range of the field."""
    found = _RANGE.fullmatch(part)
    if found is None:
        return part
    low, high = (text.lstrip("0") or "0" for text in found.groups())
    return found[1] if low == high else part


# croniter takes a tenth of a millisecond for an expression; a page may show hundreds that differ in a field or two.
@lru_cache(maxsize=1 << 12)
def _numbers_of(index: int, value: str, count: int, hash_id: bytes | None) -> tuple[int | str, ...]:
    """Return what croniter makes of ``value`` as the field ``index`` of so many, the others being ``*``."""
    fields = ["*"] * count
    fields[index] = value
    expanded: list[list[int | str]] = croniter.expand(" ".join(fields), hash_id=hash_id)[0]
    return tuple(expanded[index])


def _times(values: Sequence[int | str], size: int) -> tuple[int, ...]:
    """Return one expanded field of the time of day as sorted numbers."""
    if "*" in values:
        return tuple(range(size))
    return tuple(sorted(int(value) for value in values))
