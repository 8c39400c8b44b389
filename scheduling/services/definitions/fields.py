"""The fields of a definition: their names, order and defaults, and their values as plain JSON.

They are read off the models, so that a field that a task learns is one that its file may give.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.dateparse import parse_date, parse_datetime, parse_time
from django.utils.translation import gettext as _

from scheduling.models import Pool, Task
from scheduling.models.calendar import CalendarRule

#: Columns of a task that its file does not give: where it lives, whose it is, and what the database keeps.
_NOT_DEFINED = frozenset({"id", "namespace", "name", "owner", "version", "created_at", "updated_at"})


class WrongValue(ValueError):
    """A plain value is not one that its field takes; the text is a sentence for people."""


@cache
def task_fields() -> dict[str, models.Field[Any, Any]]:
    """Return the fields that a task's definition may give, by name, in the order in which they are written."""
    return {field.name: field for field in Task._meta.fields if field.name not in _NOT_DEFINED}


@cache
def pool_fields() -> dict[str, models.Field[Any, Any]]:
    """Return the fields that a pool's definition may give, by name, in the order in which they are written."""
    return {field.name: field for field in Pool._meta.fields if field.editable and field.name not in _NOT_DEFINED}


@cache
def rule_fields() -> dict[str, models.Field[Any, Any]]:
    """Return the fields of one rule of a calendar, by name, in the order in which they are written."""
    return {field.name: field for field in CalendarRule._meta.fields if field.name not in {"id", "calendar"}}


def read_plain(field: models.Field[Any, Any], value: Any) -> Any:
    """Return a plain value as the field holds it. Raises WrongValue: nothing is guessed, ``"5"`` is no number."""
    if value is None:
        if field.null:
            return None
        raise WrongValue(_("This cannot be null; leave the field out for its default."))
    match field:
        case models.BooleanField():
            return _expect(value, bool, _("This is true or false."))
        case models.IntegerField():
            return _whole_number(value)
        case models.FloatField():
            return _number(value)
        case models.DateTimeField():
            return _moment(value)
        case models.DateField():
            return _parsed(parse_date, value, _("A date looks like 2026-12-31."))
        case models.TimeField():
            return _parsed(parse_time, value, _("A time of day looks like 22:00."))
        case models.JSONField():
            return _expect(value, dict, _("This is an object."))
        case ArrayField():
            return [read_plain(field.base_field, each) for each in _expect(value, list, _("This is a list."))]
        case models.ForeignKey():
            # By its name; which object that is depends on the namespace.
            return _expect(value, str, _("This is a name; write it in quotes."))
    return _expect(value, str, _("This is a text; write it in quotes."))


def write_plain(value: Any) -> Any:
    """Return a field's value as JSON knows it; moments in UTC, as ISO 8601."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("minutes" if not (value.second or value.microsecond) else "auto")
    if isinstance(value, Mapping):
        return {key: write_plain(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [write_plain(each) for each in value]
    return value


def canonical(value: Any) -> Any:
    """Return something that is equal for plain values that PostgreSQL holds as one: 1e3 is 1000, true is not 1."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return (type(value).__name__, value)
    if isinstance(value, int | float):
        return ("number", Decimal(repr(value)))
    if isinstance(value, Mapping):
        return {key: canonical(member) for key, member in value.items()}
    return [canonical(each) for each in value]


def unknown_field(name: str, known: Iterable[str]) -> str:
    """Return the sentence about a field that does not exist, with the one that was probably meant."""
    names = list(known)
    sentence = _("There is no such field.")
    near = [each for each in names if name and each.startswith(name)] or difflib.get_close_matches(name, names, n=1)
    return f"{sentence} {_('Did you mean “%(near)s”?') % {'near': near[0]}}" if near else sentence


def _expect(value: Any, kind: type, sentence: str) -> Any:
    if not isinstance(value, kind):
        raise WrongValue(sentence)
    return value


def _whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise WrongValue(_("This is a whole number."))
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValue(_("This is a number."))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _moment(value: Any) -> datetime:
    moment: datetime = _parsed(parse_datetime, value, _("A moment looks like 2026-03-01T08:00:00Z."))
    if moment.utcoffset() is None:
        raise WrongValue(_("This moment needs a time zone, for example 2026-03-01T08:00:00Z."))
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise WrongValue(_("This moment lies beyond the calendar.")) from None


def _parsed(parse: Any, value: Any, sentence: str) -> Any:
    try:
        found = parse(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise WrongValue(sentence)
    return found
