"""Instances as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import MomentField, NamespaceField
from accounts.api.serializers import StrictModelSerializer, StrictSerializer
from scheduling.domain.states import EntryState
from scheduling.models import QueueEntry, TaskInstance
from scheduling.models.instance import STATE_LABELS

#: Value and word for people.
INSTANCE_STATE_CHOICES = [(state.value, label) for state, label in STATE_LABELS.items()]

#: What an instance that is `waiting` waits for.
WAITING_FOR = {
    EntryState.WAITING: ("limit", _("room in a limit, or the end of an earlier instance")),
    EntryState.DELAYED: ("retry", _("its next attempt")),
    EntryState.PLANNED: ("time", _("the moment it is planned for")),
}


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
    attempts = serializers.SerializerMethodField()
    started_at = serializers.SerializerMethodField()
    triggered_by = serializers.CharField(source="triggered_by.username", default=None, read_only=True, allow_null=True)
    last_execution = serializers.SerializerMethodField(help_text=_("The id of the latest attempt that is known."))
    cancel_requested_at = serializers.SerializerMethodField()

    class Meta:
        model = TaskInstance
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
            "last_execution",
            "cancel_requested_at",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=INSTANCE_STATE_CHOICES))
    def get_state(self, instance: TaskInstance) -> str:
        """Return what the instance is doing now."""
        return instance.state.value

    @extend_schema_field(serializers.ChoiceField(choices=list(WAITING_FOR.values()), allow_null=True))
    def get_waiting_for(self, instance: TaskInstance) -> str | None:
        """Return why no worker can take it yet."""
        entry = _entry_of(instance)
        word = WAITING_FOR.get(EntryState(entry.state)) if entry else None
        return word[0] if word else None

    @extend_schema_field(MomentField(allow_null=True))
    def get_available_at(self, instance: TaskInstance) -> Any:
        """Return from when on a worker may take it."""
        entry = _entry_of(instance)
        return _shown(entry.run_at if entry else None)

    def get_attempts(self, instance: TaskInstance) -> int:
        """Return how often it has been tried, the present attempt included."""
        entry = _entry_of(instance)
        return entry.attempt if entry else instance.attempts

    @extend_schema_field(MomentField(allow_null=True))
    def get_started_at(self, instance: TaskInstance) -> Any:
        """Return when a worker took it."""
        entry = _entry_of(instance)
        return _shown(instance.started_at or (entry.claimed_at if entry else None))

    def get_last_execution(self, instance: TaskInstance) -> int | None:
        """Return the attempt that runs, or ended it."""
        entry = _entry_of(instance)
        return entry.lease_id if entry and entry.lease_id else instance.last_execution_id

    @extend_schema_field(MomentField(allow_null=True))
    def get_cancel_requested_at(self, instance: TaskInstance) -> Any:
        """Return when somebody asked it to stop; empty once it has."""
        entry = _entry_of(instance)
        return _shown(entry.cancel_requested_at if entry else None)


class CancelSerializer(StrictSerializer):
    """Why something is cancelled."""

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
    instance = InstanceSerializer()


def _entry_of(instance: TaskInstance) -> QueueEntry | None:
    """Return the live row of an instance that has not ended."""
    if instance.is_final:
        return None
    try:
        return instance.queue_entry
    except QueueEntry.DoesNotExist:
        return None


def _shown(moment: datetime | None) -> Any:
    return MomentField().to_representation(moment) if moment else None
