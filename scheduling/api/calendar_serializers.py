"""Calendars as JSON. Shapes only: whether a calendar is sound, the services say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.api.fields import NamespaceField
from accounts.api.serializers import StrictModelSerializer, StrictSerializer
from scheduling.domain.calendar_days import DayState
from scheduling.models import Calendar, CalendarRule

#: How many days `days/` shows at once.
MOST_DAYS = 400

_DAY_STATES = [
    (DayState.OPEN.value, _("nothing is blacked out")),
    (DayState.INCLUDED.value, _("it runs after all")),
    (DayState.PARTLY.value, _("some hours are blacked out")),
    (DayState.BLACKED_OUT.value, _("blacked out")),
]


class RuleSerializer(StrictModelSerializer[CalendarRule]):
    """One rule of a calendar. Fields that its kind does not use are left out or null."""

    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=7),
        required=False,
        allow_null=True,
        help_text=_("1 is Monday, 7 is Sunday."),
    )

    class Meta:
        model = CalendarRule
        fields = [
            "effect",
            "kind",
            "first_day",
            "last_day",
            "month",
            "day",
            "weekdays",
            "from_time",
            "until_time",
            "note",
        ]


class CalendarSerializer(StrictModelSerializer[Calendar]):
    """A calendar with its rules."""

    namespace = NamespaceField(
        required=False, help_text=_("Its name. Left out: “default” for a new calendar, unchanged for a stored one.")
    )
    rules = RuleSerializer(many=True, required=False, help_text=_("Replaced as a whole."))
    tasks = serializers.SerializerMethodField(help_text=_("The names of the tasks that use it."))

    class Meta:
        model = Calendar
        fields = ["id", "namespace", "name", "description", "rules", "tasks", "created_at"]
        read_only_fields = ["created_at"]
        # Whether a name is free is the service's question, with everything else that is wrong.
        validators: list[Any] = []

    def get_tasks(self, calendar: Calendar) -> list[str]:
        """Return the names of the tasks that use it."""
        return sorted(task.name for task in calendar.tasks.all())


class HolidayImportSerializer(StrictSerializer):
    """Which public holidays are wanted."""

    country = serializers.CharField(help_text=_("The ISO 3166 code of the country, such as CN or DE."))
    subdivision = serializers.CharField(
        required=False, allow_blank=True, default="", help_text=_("The code of a state or province, such as BY.")
    )
    years = serializers.ListField(child=serializers.IntegerField(), allow_empty=False)
    weekends = serializers.BooleanField(default=False, help_text=_("Black out the country's weekend as well."))


class HolidayImportResultSerializer(serializers.Serializer[Any]):
    """What an import added."""

    holidays = RuleSerializer(many=True)
    make_up_days = RuleSerializer(many=True)
    weekends = RuleSerializer(many=True)
    known = serializers.IntegerField(help_text=_("How many days were there before."))


class DaysQuerySerializer(serializers.Serializer[Any]):
    """Which days are asked for."""

    first = serializers.DateField()
    last = serializers.DateField(help_text=_("Included."))

    def validate(self, attrs: Mapping[str, date]) -> Mapping[str, date]:
        """Refuse a range that is backwards, or longer than anybody reads."""
        if attrs["last"] < attrs["first"]:
            raise serializers.ValidationError({"last": [_("The last day lies before the first.")]})
        if (attrs["last"] - attrs["first"]).days >= MOST_DAYS:
            raise serializers.ValidationError({"last": [_("At most %(n)d days are shown at once.") % {"n": MOST_DAYS}]})
        return attrs


class DayRuleSerializer(serializers.Serializer[Any]):
    """A rule that has a say about a day."""

    effect = serializers.CharField()
    from_time = serializers.TimeField(allow_null=True)
    until_time = serializers.TimeField(allow_null=True)
    note = serializers.CharField()


class DaySerializer(serializers.Serializer[Any]):
    """What a calendar says about one day."""

    day = serializers.DateField()
    state = serializers.ChoiceField(choices=_DAY_STATES)
    rules = DayRuleSerializer(many=True, help_text=_("Inclusions first; they win."))
