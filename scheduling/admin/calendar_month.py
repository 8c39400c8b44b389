"""A month of a calendar as a page shows it: weeks of days, each with what the calendar says about it."""

from __future__ import annotations

import calendar as months
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.whole_numbers import whole_number
from scheduling.domain.calendar_days import Day, DayState, read_days
from scheduling.domain.calendars import Calendar, Effect, Rule

STATE_WORDS = {
    DayState.OPEN: "",
    DayState.INCLUDED: gettext_lazy("runs after all"),
    DayState.PARTLY: gettext_lazy("partly blacked out"),
    DayState.BLACKED_OUT: gettext_lazy("blacked out"),
}
#: So many rules are named in the cell of a day.
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Month:
    """A month of some year."""

    year: int
    month: int

    @classmethod
    def read(cls, text: str, today: date) -> Month:
        """Return the month that ``2026-10`` names; what names none is the present one."""
        year, month = (whole_number(each, most=2199) for each in text.partition("-")[::2])
        if year is not None and month is not None and 1 <= month <= 12 and year >= 1900:
            return cls(year, month)
        return cls(today.year, today.month)

    def shifted(self, by: int) -> Month:
        """Return the month so many months later."""
        years, month = divmod(self.month - 1 + by, 12)
        return Month(self.year + years, month + 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"

    @property
    def title(self) -> str:
        """The month in words."""
        return date_format(date(self.year, self.month, 1), "YEAR_MONTH_FORMAT")

    def days(self) -> tuple[date, date]:
        """Return the first and the last day of the weeks that it touches, from a Monday to a Sunday."""
        first, count = months.monthrange(self.year, self.month)
        begins = date(self.year, self.month, 1)
        ends = begins + timedelta(days=count - 1)
        return begins - timedelta(days=first), ends + timedelta(days=6 - ends.weekday())


def month_context(calendar: Calendar, month: Month, today: date) -> dict[str, Any]:
    """Return what the template of the month needs: names of days, weeks, and the way to other months."""
    cells = [_cell(day, month, today) for day in read_days(calendar, *month.days())]
    return {
        "month": month,
        "previous": month.shifted(-1),
        "next": month.shifted(1),
        "weekday_names": [WEEKDAYS_ABBR[number] for number in range(7)],
        "weeks": [cells[start : start + 7] for start in range(0, len(cells), 7)],
        "legend": [(state.value.replace("_", "-"), word) for state, word in STATE_WORDS.items() if word],
    }


def _cell(day: Day, month: Month, today: date) -> dict[str, Any]:
    return {
        "day": day.day,
        "state": day.state.value.replace("_", "-"),
        "word": STATE_WORDS[day.state],
        "inside": (day.day.year, day.day.month) == (month.year, month.month),
        "today": day.day == today,
        "rules": [(rule.effect.value, rule_words(rule)) for rule in day.rules[:_NAMED]],
        "more": max(len(day.rules) - _NAMED, 0),
    }


def rule_words(rule: Rule) -> str:
    """Return a rule as a few words: its note, and the hours when it does not cover whole days."""
    words = rule.note or (_("runs after all") if rule.effect is Effect.INCLUSION else _("blacked out"))
    if rule.from_time is None and rule.until_time is None:
        return words
    begins = "00:00" if rule.from_time is None else f"{rule.from_time:%H:%M}"
    ends = "24:00" if rule.until_time is None else f"{rule.until_time:%H:%M}"
    return f"{words} {begins}–{ends}"
