"""Backfills as JSON."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import MomentField, NamespaceField
from accounts.api.serializers import StrictModelSerializer, StrictSerializer
from scheduling.backfill_progress import backfill_progress
from scheduling.models import Backfill, Task
from scheduling.models.backfill import BACKFILL_OVERLAP_CHOICES, REPROCESS_CHOICES

#: The service's names of the fields that the API calls otherwise.
FIELD_NAMES = {"from_at": "from", "until_at": "until"}


@extend_schema_field({"type": "integer"})
class VisibleTaskField(serializers.PrimaryKeyRelatedField[Task]):
    """A task by its id; those that the user may not see do not exist."""

    default_error_messages = {"does_not_exist": _("There is no task {pk_value}, or you may not see it.")}

    def get_queryset(self) -> QuerySet[Task]:
        """Return the tasks among which the id is looked for."""
        return Task.objects.visible_to(self.context["request"].user)


class ProgressSerializer(serializers.Serializer[Any]):
    """How many ticks stand how; together they are the total."""

    total = serializers.IntegerField()
    to_come = serializers.IntegerField(help_text=_("Not turned into instances yet; a stopped backfill leaves them."))
    waiting = serializers.IntegerField(help_text=_("Waiting or ready."))
    running = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    skipped = serializers.IntegerField()
    percent = serializers.IntegerField(help_text=_("How much of it has ended."))


class BackfillSerializer(StrictModelSerializer[Backfill]):
    """A past range of a task's ticks, run on request."""

    namespace = NamespaceField(read_only=True)
    task = serializers.IntegerField(source="task_id", read_only=True)
    task_name = serializers.CharField(source="task.name", read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Backfill
        fields = [
            "id",
            "namespace",
            "task",
            "task_name",
            "overlap",
            "reprocess",
            "max_parallel",
            "state",
            "total",
            "created_count",
            "created_by",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields

    def get_fields(self) -> dict[str, Any]:
        """Return the fields, the range under the names that it is asked for with."""
        return {
            **super().get_fields(),
            "from": MomentField(source="from_at", read_only=True),
            "until": MomentField(source="until_at", read_only=True),
        }


class BackfillDetailSerializer(BackfillSerializer):
    """The same with its progress."""

    progress = serializers.SerializerMethodField()

    class Meta(BackfillSerializer.Meta):
        fields = [*BackfillSerializer.Meta.fields, "progress"]
        read_only_fields = fields

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, backfill: Backfill) -> Any:
        """Return how far it is."""
        return ProgressSerializer(backfill_progress(backfill)).data


class NewBackfillSerializer(StrictSerializer):
    """What to run."""

    task = VisibleTaskField(help_text=_("The task's id."))
    overlap = serializers.ChoiceField(choices=BACKFILL_OVERLAP_CHOICES, default="queue_all")
    reprocess = serializers.ChoiceField(choices=REPROCESS_CHOICES, default="none")
    max_parallel = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, default=1, help_text=_("At most so many at once; more than 1 with `allow`.")
    )
    dry_run = serializers.BooleanField(default=False, help_text=_("Say which ticks would run, and store nothing."))

    def get_fields(self) -> dict[str, Any]:
        """Return the fields; `from` is a word of the language, and no name for an attribute."""
        return {
            **super().get_fields(),
            "from": MomentField(source="from_at", help_text=_("The first moment.")),
            "until": MomentField(source="until_at", help_text=_("The last moment, included.")),
        }


class BackfillPlanSerializer(serializers.Serializer[Any]):
    """What a backfill would do."""

    total = serializers.IntegerField(help_text=_("How many ticks would run."))
    in_range = serializers.IntegerField(help_text=_("How many ticks the range has."))
    left_out = serializers.IntegerField(help_text=_("How many of them stay as they are."))
    ticks = serializers.ListField(child=MomentField())


class StopSerializer(StrictSerializer):
    """How to stop."""

    cancel_running = serializers.BooleanField(default=False, help_text=_("Tell what runs to stop as well."))


class StoppedSerializer(serializers.Serializer[Any]):
    """What came of it."""

    cancelled = serializers.IntegerField(help_text=_("Instances that were cancelled or told to stop."))
    backfill = BackfillDetailSerializer()
