"""Previews as JSON: what is asked for, and what a trigger will do."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.api.fields import MomentField, NamespaceField
from accounts.api.serializers import StrictModelSerializer
from scheduling.api.seconds import SecondsField
from scheduling.domain.task_trigger import TRIGGER_FIELDS
from scheduling.models import Task

#: How many fires a preview can show at once.
MOST_FIRES = 100

#: The fields that say how much is asked for, and not what the trigger is.
ASKED = ("count", "after", "viewer_timezone")


class PreviewQuerySerializer(serializers.Serializer[Any]):
    """How much of a preview is asked for."""

    count = serializers.IntegerField(min_value=1, max_value=MOST_FIRES, default=10)
    after = MomentField(required=False, help_text=_("The first fire lies after this moment; by default, now."))
    viewer_timezone = serializers.CharField(
        required=False, help_text=_("An IANA name: shows each fire on that wall clock as well.")
    )


class TriggerSerializer(StrictModelSerializer[Task]):
    """The fields of a trigger that is not stored, and how much of its preview is asked for."""

    count = serializers.IntegerField(min_value=1, max_value=MOST_FIRES, default=10)
    after = MomentField(required=False, help_text=_("The first fire lies after this moment; by default, now."))
    viewer_timezone = serializers.CharField(
        required=False, help_text=_("An IANA name: shows each fire on that wall clock as well.")
    )
    every_seconds = SecondsField(
        required=False,
        allow_null=True,
        help_text=_("The interval, or the delay after an instance has ended; 0.1 or more, to the millisecond."),
    )
    namespace = NamespaceField(required=False, help_text=_("Where the calendars are."))
    calendars = serializers.ListField(child=serializers.CharField(trim_whitespace=False), required=False)

    class Meta:
        model = Task
        fields = [*TRIGGER_FIELDS, "delay_seconds", "jitter_seconds", "namespace", "calendars", *ASKED]
        extra_kwargs = {"trigger": {"required": True}}
        validators: list[Any] = []


class FireSerializer(serializers.Serializer[Any]):
    """One tick of a trigger."""

    at = MomentField(help_text=_("In UTC."))
    local = serializers.CharField(help_text=_("The same moment on the wall clock of the task's time zone."))
    viewer = serializers.CharField(allow_null=True, help_text=_("The same moment in `viewer_timezone`, if given."))
    marks = serializers.ListField(
        child=serializers.ChoiceField(choices=["clock_change", "moved", "first_passage", "second_passage", "blackout"]),
        help_text=_("What is special about it; `blackout`: a calendar says that it does not run."),
    )
    notes = serializers.ListField(child=serializers.CharField(), help_text=_("A sentence for each mark."))


class PreviewSerializer(serializers.Serializer[Any]):
    """What a trigger will do."""

    timezone = serializers.CharField()
    viewer_timezone = serializers.CharField(allow_null=True)
    words = serializers.CharField(help_text=_("The trigger as a sentence."))
    fires = FireSerializer(many=True, help_text=_("Fewer than asked for when the trigger ends before."))
    left_out = serializers.ListField(
        child=serializers.CharField(),
        help_text=_("Local times among those fires that do not exist on their day and are skipped."),
    )
    fires_per_day = serializers.FloatField(
        allow_null=True,
        help_text=_("Averaged over a week, or a year where it is rare; empty for a trigger that no clock drives."),
    )
    notes = serializers.ListField(child=serializers.CharField())
