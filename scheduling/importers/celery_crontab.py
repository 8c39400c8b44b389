"""Celery's crontab schedules as cron expressions.

Celery runs when *all* fields fit, where cron runs when the day of month *or* the day of week fits. It also takes
whole names (``monday``) and ranges that go over the end (``22-2``). Source: Celery's documentation of
``celery.schedules.crontab``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from scheduling.importers.result import CannotCarryOver

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PART = re.compile(r"(?:(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?\Z")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        if text.isdecimal():
            value = int(text)
            value = 0 if self.names is _DAYS and value == 7 else value
        elif self.names and text[:3].lower() in self.names:
            value = self.names.index(text[:3].lower()) + self.low
        else:
            raise self.refusal(text)
        if not self.low <= value <= self.high:
            raise self.refusal(text)
        return value

    def refusal(self, text: str) -> CannotCarryOver:
        return CannotCarryOver(
            _("the %(field)s field of its crontab cannot be “%(text)s”.") % {"field": self.name, "text": text}
        )

    def read(self, text: str) -> tuple[str, set[int]]:
        """Return the field as cron writes it, and the numbers that it names."""
        parts, numbers = [], set()
        for part in "".join(text.split()).split(","):
            written, named = self._read_part(part)
            parts.append(written)
            numbers |= named
        return ",".join(parts), numbers

    def _read_part(self, part: str) -> tuple[str, set[int]]:
        match = _PART.match(part)
        if match is None or (match["step"] and not (match["star"] or match["last"])):
            raise self.refusal(part)
        step = int(match["step"] or 1)
        if step < 1:
            raise self.refusal(part)
        after = f"/{step}" if match["step"] else ""
        if match["star"]:
            return f"*{after}", set(range(self.low, self.high + 1, step))
        first = self.number(match["first"])
        if match["last"] is None:
            return str(first), {first}
        last = self.number(match["last"])
        if first <= last:
            return f"{first}-{last}{after}", set(range(first, last + 1, step))
        around = [*range(first, self.high + 1), *range(self.low, last + 1)][::step]
        return ",".join(map(str, around)), set(around)


_MINUTE = _Field("minute", 0, 59)
_HOUR = _Field("hour", 0, 23)
_DAY_OF_MONTH = _Field("day_of_month", 1, 31)
_MONTH = _Field("month_of_year", 1, 12, _MONTHS)
_DAY_OF_WEEK = _Field("day_of_week", 0, 6, _DAYS)


def cron_of_crontab(*, minute: str, hour: str, day_of_week: str, day_of_month: str, month_of_year: str) -> str:
    """Return the five-field cron expression that names the same moments. Raises CannotCarryOver."""
    minutes, _minutes = _MINUTE.read(minute)
    hours, _hours = _HOUR.read(hour)
    months, named_months = _MONTH.read(month_of_year)
    days, named_days = _DAY_OF_MONTH.read(day_of_month)
    weekdays, named_weekdays = _DAY_OF_WEEK.read(day_of_week)
    # A field that names every day restricts nothing, however it is written.
    months = "*" if len(named_months) == 12 else months
    days = "*" if len(named_days) == 31 else days
    weekdays = "*" if len(named_weekdays) == 7 else weekdays
    if days != "*" and weekdays != "*":
        week = min(named_days) // 7
        if named_days != set(range(7 * week + 1, 7 * week + 8)):
            raise CannotCarryOver(
                _("its crontab needs the day of month *and* the day of week to fit, which cron cannot say.")
            )
        # "Days 8 to 14, and a Monday" is the second Monday.
        days, weekdays = "*", ",".join(f"{day}#{week + 1}" for day in sorted(named_weekdays))
    return f"{minutes} {hours} {days} {months} {weekdays}"
