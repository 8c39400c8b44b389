"""Quartz cron expressions, as XXL-JOB and Spring write them, in our own terms.

Quartz has 6 or 7 fields (seconds first, year last), counts the days of the week from 1 = Sunday, writes ``?`` for
"says nothing", ``a/n`` for "from a on, every n", and ``6L`` for the last Friday. Source: the documentation of Quartz's
CronTrigger.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from scheduling.domain.errors import InvalidField
from scheduling.domain.triggers.cron_expression import parse_cron
from scheduling.importers.result import CannotCarryOver

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LIMITS = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "year": (1970, 2099),
}
_PART = re.compile(r"(?:(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)?(?:/(?P<step>\d+))?\Z")


def cron_of_quartz(text: str) -> str:
    """Return the six- or seven-field expression that names the same moments. Raises CannotCarryOver."""
    fields = text.lower().split()
    if len(fields) not in {6, 7}:
        raise CannotCarryOver(_("its expression “%(text)s” has not 6 or 7 fields.") % {"text": text})
    second, minute, hour, day, month, weekday, *year = fields
    written = [
        _field(text, "second", second),
        _field(text, "minute", minute),
        _field(text, "hour", hour),
        _days(text, day),
        _field(text, "month", month),
        _weekdays(text, weekday),
    ]
    if written[3] != "*" and written[5] != "*":
        raise CannotCarryOver(_("its expression “%(text)s” restricts both kinds of day.") % {"text": text})
    if year and (last := _field(text, "year", year[0])) != "*":
        written.append(last)
    expression = " ".join(written)
    try:
        parse_cron(expression)
    except InvalidField as error:
        raise CannotCarryOver(f"{_('its expression “%(text)s”:') % {'text': text}} {error}") from error
    return expression


def _refusal(text: str, part: str) -> CannotCarryOver:
    return CannotCarryOver(
        _("“%(part)s” in its expression “%(text)s” has no equal here.") % {"part": part, "text": text}
    )


def _field(text: str, kind: str, value: str) -> str:
    return "*" if value in {"*", "?"} else ",".join(_part(text, kind, each) for each in value.split(","))


def _part(text: str, kind: str, part: str) -> str:
    low, high = _LIMITS[kind]
    match = _PART.match(part)
    if match is None or not part:
        raise _refusal(text, part)
    step = f"/{int(match['step'])}" if match["step"] else ""
    if step == "/0":
        raise _refusal(text, part)
    if match["first"] is None:
        return f"*{step}"
    first = _number(text, kind, match["first"])
    if match["last"] is None:
        if not step:
            return str(first)
        return f"*{step}" if first == low else f"{first}-{high}{step}"
    last = _number(text, kind, match["last"])
    if first <= last:
        return f"{first}-{last}{step}"
    around = [*range(first, high + 1), *range(low, last + 1)][:: int(match["step"] or 1)]
    return ",".join(map(str, around))


def _number(text: str, kind: str, word: str) -> int:
    if kind == "month" and word in _MONTHS:
        return _MONTHS.index(word) + 1
    low, high = _LIMITS[kind]
    if not word.isdecimal() or not low <= int(word) <= high:
        raise _refusal(text, word)
    return int(word)


def _days(text: str, value: str) -> str:
    if value in {"*", "?"}:
        return "*"
    parts = []
    for part in value.split(","):
        nearest = re.fullmatch(r"(\d{1,2})w", part)
        if part == "l":
            parts.append("L")
        elif nearest:
            parts.append(f"{_number(text, 'day', nearest[1])}W")
        else:
            parts.append(_part(text, "day", part))
    return ",".join(parts)


def _weekdays(text: str, value: str) -> str:
    if value in {"*", "?"}:
        return "*"
    written = ",".join(_weekday(text, part) for part in value.split(","))
    return "*" if set(written.split(",")) == set(_DAYS) else written


def _weekday(text: str, part: str) -> str:
    if part == "l":  # without a day before it, Quartz means the last day of the week
        return "sat"
    if last := re.fullmatch(r"(\w+)l", part):
        return f"L{_index(text, last[1])}"
    if nth := re.fullmatch(r"(\w+)#([1-5])", part):
        return f"{_DAYS[_index(text, nth[1])]}#{nth[2]}"
    match = _PART.match(part)
    if match is None or not part or match["step"] == "0":
        raise _refusal(text, part)
    step = int(match["step"] or 1)
    if match["first"] is None:
        return ",".join(_DAYS[::step])
    first = _index(text, match["first"])
    if match["last"] is None:
        return ",".join(_DAYS[first::step]) if match["step"] else _DAYS[first]
    last_day = _index(text, match["last"])
    if first <= last_day and step == 1:
        return ",".join(_DAYS) if (first, last_day) == (0, 6) else f"{_DAYS[first]}-{_DAYS[last_day]}"
    if first <= last_day:
        return ",".join(_DAYS[first : last_day + 1 : step])
    return ",".join((*_DAYS[first:], *_DAYS[: last_day + 1])[::step])


def _index(text: str, word: str) -> int:
    """Return 0 for Sunday up to 6 for Saturday; Quartz counts from 1."""
    if word in _DAYS:
        return _DAYS.index(word)
    if not word.isdecimal() or not 1 <= int(word) <= 7:
        raise _refusal(text, word)
    return int(word) - 1
