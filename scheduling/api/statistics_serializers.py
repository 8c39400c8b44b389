"""Statistics as JSON."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.api.fields import MomentField
from scheduling.api.instance_serializers import INSTANCE_STATE_CHOICES
from scheduling.models import TaskInstance
from scheduling.statistics import Counts, Failure, OutcomeSeries, OutcomeSlot, TaskFigures, UpcomingFire


class CountsSerializer(serializers.Serializer[Counts]):
    """How instances ended."""

    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    skipped = serializers.IntegerField()
    success_ratio = serializers.FloatField(
        allow_null=True, help_text=_("Successes among what succeeded or failed; empty without any.")
    )
    mean_seconds = serializers.FloatField(
        allow_null=True, help_text=_("From the first start to the end, of what succeeded or failed.")
    )
    p95_seconds = serializers.FloatField(allow_null=True, help_text=_("95 of 100 took no longer, about."))
    mean_late_seconds = serializers.FloatField(
        allow_null=True, help_text=_("From the moment it was meant for to its start.")
    )


class OutcomeSlotSerializer(serializers.Serializer[OutcomeSlot]):
    """One hour or day."""

    begins_at = MomentField()
    ends_at = MomentField()
    counts = CountsSerializer()


class OutcomeSeriesSerializer(serializers.Serializer[OutcomeSeries]):
    """Outcomes over time."""

    range = serializers.CharField(source="span.value")
    slots = OutcomeSlotSerializer(many=True)
    total = CountsSerializer()


class TaskFiguresSerializer(serializers.Serializer[TaskFigures]):
    """One task's line."""

    task = serializers.IntegerField(source="task_id")
    name = serializers.CharField(help_text=_("The last one of a task that was deleted."))
    namespace = serializers.CharField()
    deleted = serializers.BooleanField()
    counts = CountsSerializer()


class TaskTableSerializer(serializers.Serializer[object]):
    """Figures by task."""

    results = TaskFiguresSerializer(many=True)


class UpcomingFireSerializer(serializers.Serializer[UpcomingFire]):
    """A tick to come."""

    at = MomentField()
    task = serializers.IntegerField(source="task_id")
    name = serializers.CharField()
    namespace = serializers.CharField()


class UpcomingSerializer(serializers.Serializer[object]):
    """Ticks to come."""

    results = UpcomingFireSerializer(many=True)


class FailureSerializer(serializers.Serializer[Failure]):
    """An instance that failed."""

    id = serializers.IntegerField(source="instance.pk", help_text=_("The instance's."))
    task = serializers.IntegerField(source="instance.task_id")
    task_name = serializers.CharField()
    namespace = serializers.CharField(source="instance.namespace.name")
    scheduled_for = MomentField(source="instance.scheduled_for")
    failed_at = MomentField(source="instance.failed_at")
    attempts = serializers.IntegerField(source="instance.attempts")
    reason = serializers.CharField(source="instance.reason")
    message = serializers.CharField(source="instance.message")


class FailuresSerializer(serializers.Serializer[object]):
    """Failures."""

    results = FailureSerializer(many=True)


class RecentEndSerializer(serializers.Serializer[TaskInstance]):
    """How one instance ended."""

    id = serializers.IntegerField(source="pk", help_text=_("The instance's."))
    scheduled_for = MomentField()
    state = serializers.ChoiceField(source="state.value", choices=INSTANCE_STATE_CHOICES)
    finished_at = MomentField()


class TaskStatisticsSerializer(OutcomeSeriesSerializer):
    """One task's past."""

    recent = RecentEndSerializer(many=True, help_text=_("The last 50 that ended, oldest first."))
