"""Asking for a period on the wall clock of a task."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import DATETIME_CLASSES

from scheduling.admin.task_words import task_zone
from scheduling.models import Task

_SHAPE = "%Y-%m-%dT%H:%M:%S"


class WallClockInput(forms.DateTimeInput):
    """The browser's own input for a date and a time, to the second."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"step": 1, "class": " ".join(DATETIME_CLASSES)}, format=_SHAPE)


class WallClockField(forms.DateTimeField):
    """A moment that is written and read on the wall clock of ``zone``."""

    def __init__(self, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(widget=WallClockInput(), input_formats=[_SHAPE, "%Y-%m-%dT%H:%M"], **kwargs)
        self._zone = zone

    def prepare_value(self, value: Any) -> Any:
        """Return the wall clock's reading of a moment."""
        return value.astimezone(self._zone).replace(tzinfo=None) if isinstance(value, datetime) else value

    def to_python(self, value: Any) -> datetime | None:
        """Return the moment; a reading that the zone does not have, or has twice, is a validation error."""
        with timezone.override(self._zone):
            return super().to_python(value)


class PeriodForm(forms.Form):
    """A period of a task's life; both moments belong to it."""

    def __init__(self, task: Task, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = task_zone(task) or ZoneInfo("UTC")
        words = {"zone": zone.key}
        own = self.fields
        self.fields = {
            "from_at": WallClockField(zone, label=_("From (%(zone)s)") % words),
            "until_at": WallClockField(zone, label=_("Until (%(zone)s), included") % words),
            **own,
        }
