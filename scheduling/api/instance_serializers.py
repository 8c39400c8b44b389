"""Instances as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import MomentField, NamespaceField
from accounts.api.serializers import StrictModelSerializer, StrictSerializer
from scheduling.api.task_serializers import ShownParamsField
from scheduling.instance_relations import entry_of
from scheduling.models import TaskInstance
from scheduling.models.instance import STATE_LABELS
from scheduling.waiting import GATE_LABELS, GateWord, next_attempt_at, reasons_for_waiting, waiting_words

#: Value and word for people.
INSTANCE_STATE_CHOICES = [(state.value, label) for state, label in STATE_LABELS.items()]

#: What an instance that has not started waits for.
WAITING_FOR = [(word.value, label) for word, label in GATE_LABELS.items()]


class InstanceListSerializer(serializers.ListSerializer[TaskInstance]):
    """Asks once what all instances of a page wait for."""

    words: Mapping[int, GateWord] = MappingProxyType({})

    def to_representation(self, data: Any) -> list[Any]:
        """Return the instances, each with the word for what it waits for."""
        instances = list(data)
        self.words = waiting_words(instances)
        return super().to_representation(instances)


class InstanceSerializer(StrictModelSerializer[TaskInstance]):
    """One planned occurrence of a task."""

    namespace = NamespaceField(read_only=True)
    task = serializers.IntegerField(source="task_id", read_only=True)
    task_name = serializers.CharField(read_only=True)
    handler = serializers.CharField(read_only=True)
    state = serializers.SerializerMethodField()
    waiting_for = serializers.SerializerMethodField()
    available_at = serializers.SerializerMethodField(help_text=_("No worker takes it before; empty when it has ended."))
    reason = serializers.CharField(
        read_only=True, help_text=_("Why it ended so, for machines; empty until it has ended.")
    )
    message = serializers.CharField(read_only=True, help_text=_("The same as a sentence for people."))
    note = serializers.CharField(
        read_only=True, help_text=_("For how many missed ticks it stands, as a sentence; empty for an ordinary one.")
    )
    params = ShownParamsField(
        read_only=True,
        allow_null=True,
        help_text=_("Its own, secrets shown as a mask; null: those of its version of the task."),
    )
    attempts = serializers.SerializerMethodField()
    started_at = serializers.SerializerMethodField()
    triggered_by = serializers.CharField(source="triggered_by.username", default=None, read_only=True, allow_null=True)
    last_execution = serializers.SerializerMethodField(help_text=_("The id of the latest attempt that is known."))
    backfill = serializers.IntegerField(
        source="backfill_id", read_only=True, allow_null=True, help_text=_("The id of the backfill that made it.")
    )
    cancel_requested_at = serializers.SerializerMethodField()
    kill_requested = serializers.SerializerMethodField()
    cancel_message = serializers.SerializerMethodField(
        help_text=_("Who asked it to stop, and why; empty once it has ended: then `message` says so.")
    )

    class Meta:
        model = TaskInstance
        list_serializer_class = InstanceListSerializer
        fields = [
            "id",
            "namespace",
            "task",
            "task_name",
            "task_version",
            "handler",
            "origin",
            "state",
            "waiting_for",
            "reason",
            "message",
            "note",
            "scheduled_for",
            "available_at",
            "attempts",
            "params",
            "missed_count",
            "missed_since",
            "triggered_by",
            "rerun_of",
            "backfill",
            "last_execution",
            "cancel_requested_at",
            "kill_requested",
            "cancel_message",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=INSTANCE_STATE_CHOICES))
    def get_state(self, instance: TaskInstance) -> str:
        """Return what the instance is doing now."""
        return instance.state.value

    @extend_schema_field(serializers.ChoiceField(choices=WAITING_FOR, allow_null=True))
    def get_waiting_for(self, instance: TaskInstance) -> str | None:
        """Return the first thing that it waits for; null when it runs, has ended, or a worker is about to take it."""
        page: Any = self.parent
        words = page.words if isinstance(page, InstanceListSerializer) else waiting_words([instance])
        return words.get(instance.pk)

    @extend_schema_field(MomentField(allow_null=True))
    def get_available_at(self, instance: TaskInstance) -> Any:
        """Return from when on a worker may take it."""
        entry = entry_of(instance)
        return _shown(entry.run_at if entry else None)

    def get_attempts(self, instance: TaskInstance) -> int:
        """Return how often it has been tried, the present attempt included."""
        entry = entry_of(instance)
        return entry.attempt if entry else instance.attempts

    @extend_schema_field(MomentField(allow_null=True))
    def get_started_at(self, instance: TaskInstance) -> Any:
        """Return when a worker took it."""
        entry = entry_of(instance)
        return _shown(instance.started_at or (entry.claimed_at if entry else None))

    def get_last_execution(self, instance: TaskInstance) -> int | None:
        """Return the attempt that runs, or ended it."""
        entry = entry_of(instance)
        return entry.lease_id if entry and entry.lease_id else instance.last_execution_id

    @extend_schema_field(MomentField(allow_null=True))
    def get_cancel_requested_at(self, instance: TaskInstance) -> Any:
        """Return when somebody asked it to stop; empty once it has."""
        entry = entry_of(instance)
        return _shown(entry.cancel_requested_at if entry else None)

    def get_kill_requested(self, instance: TaskInstance) -> bool:
        """Return whether it is to be ended without its grace."""
        entry = entry_of(instance)
        return entry.kill_requested if entry else False

    def get_cancel_message(self, instance: TaskInstance) -> str:
        """Return who asked it to stop, and why."""
        entry = entry_of(instance)
        return (entry.cancel_message or "") if entry else ""


class HolderSerializer(serializers.Serializer[Any]):
    """An instance that holds a place which another one waits for, or stands before it."""

    instance = serializers.IntegerField(source="instance_id")
    task_name = serializers.CharField(source="task")
    state = serializers.ChoiceField(choices=INSTANCE_STATE_CHOICES)


class GateSerializer(serializers.Serializer[Any]):
    """One condition between an instance and its start."""

    gate = serializers.ChoiceField(source="word", choices=WAITING_FOR)
    passed = serializers.BooleanField()
    sentence = serializers.CharField(help_text=_("The same for people."))
    opens_at = MomentField(allow_null=True, help_text=_("When it opens; known for time and retry only."))
    holders = HolderSerializer(many=True, help_text=_("The first of those that it waits for."))
    more_holders = serializers.IntegerField(source="more", help_text=_("How many there are beside them."))


class InstanceDetailSerializer(InstanceSerializer):
    """An instance, and why it has not started."""

    waiting = serializers.SerializerMethodField(
        help_text=_("What has to be so before it starts, in order; empty once a worker has taken it.")
    )
    next_attempt_at = serializers.SerializerMethodField(help_text=_("Null unless it waits for a further attempt."))

    class Meta(InstanceSerializer.Meta):
        fields = [*InstanceSerializer.Meta.fields, "waiting", "next_attempt_at"]
        read_only_fields = fields

    @extend_schema_field(GateSerializer(many=True))
    def get_waiting(self, instance: TaskInstance) -> Any:
        """Return its gates."""
        return GateSerializer(reasons_for_waiting(instance), many=True).data

    @extend_schema_field(MomentField(allow_null=True))
    def get_next_attempt_at(self, instance: TaskInstance) -> Any:
        """Return when it is tried again."""
        return _shown(next_attempt_at(instance))


class CancelSerializer(StrictSerializer):
    """Why something is cancelled, and how hard."""

    kill = serializers.BooleanField(
        default=False, help_text=_("Give what runs no grace: processes are killed at once. Also after a cancel.")
    )
    comment = serializers.CharField(
        required=False, allow_blank=True, max_length=1000, help_text=_("Kept with the instance, for people.")
    )


class CancelledSerializer(serializers.Serializer[Any]):
    """What came of a request to cancel."""

    result = serializers.ChoiceField(
        choices=[
            ("cancelled", _("It had not started, and has ended.")),
            ("requested", _("It runs; its worker is told to stop.")),
            ("already_ended", _("It had ended before; nothing changed.")),
        ]
    )
    instance = InstanceDetailSerializer()


def _shown(moment: datetime | None) -> Any:
    return MomentField().to_representation(moment) if moment else None
