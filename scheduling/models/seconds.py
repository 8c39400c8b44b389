"""SecondsField: a length of time in seconds, to the millisecond."""

from __future__ import annotations

from typing import Any

from django.db import models


class SecondsField(models.FloatField):  # type: ignore[type-arg] # Django's own classes are generic for checkers only
    """A number of seconds; a whole one is read as an int, so that 60 never turns into 60.0 on its way."""

    def from_db_value(self, value: float | None, expression: Any, connection: Any) -> float | None:
        """Return what the database holds."""
        return plain_seconds(value)

    def to_python(self, value: Any) -> Any:
        """Return the number that ``value`` means. Raises ValidationError."""
        return plain_seconds(super().to_python(value))


def plain_seconds(value: float | None) -> float | None:
    """Return a whole number as an int, and any other as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
