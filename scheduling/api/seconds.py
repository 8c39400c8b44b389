"""Lengths of time as JSON numbers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from scheduling.models.seconds import plain_seconds


class SecondsField(serializers.FloatField):
    """A number of seconds; a whole one is written without a fraction."""

    def to_internal_value(self, data: Any) -> float:
        """Return the number; true and false are none."""
        if isinstance(data, bool):
            self.fail("invalid")
        return plain_seconds(super().to_internal_value(data)) or 0

    def to_representation(self, value: Any) -> Any:
        """Return the number as it is written."""
        return plain_seconds(float(value))
