"""Executions and their logs as JSON."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import MomentField, NamespaceField
from accounts.api.serializers import StrictModelSerializer
from workers.models import Execution
from workers.models.execution import EXECUTION_STATE_LABELS

#: Value and word for people.
EXECUTION_STATE_CHOICES = [(state.value, label) for state, label in EXECUTION_STATE_LABELS.items()]

#: How many chunks of a log one answer can hold.
MOST_CHUNKS = 500

#: How many chunks one answer of the index can hold.
MOST_INDEXED = 50_000

#: What is looked for in a log is no longer than this.
LONGEST_SEARCH = 500


class ExecutionSummarySerializer(StrictModelSerializer[Execution]):
    """One attempt at an instance, without its result."""

    namespace = NamespaceField(read_only=True)
    instance = serializers.IntegerField(source="instance_id", read_only=True)
    task = serializers.IntegerField(source="task_id", read_only=True)
    task_name = serializers.CharField(read_only=True)
    node = serializers.CharField(source="node_name", read_only=True, help_text=_("The name of the node."))
    duration_seconds = serializers.SerializerMethodField(help_text=_("Empty until it has ended."))

    class Meta:
        model = Execution
        fields = [
            "id",
            "namespace",
            "instance",
            "task",
            "task_name",
            "attempt",
            "node",
            "state",
            "reason",
            "message",
            "scheduled_for",
            "started_at",
            "finished_at",
            "duration_seconds",
        ]
        read_only_fields = fields

    def get_duration_seconds(self, execution: Execution) -> float | None:
        """Return how long the attempt took."""
        if execution.finished_at is None:
            return None
        return (execution.finished_at - execution.started_at).total_seconds()


class ExecutionSerializer(ExecutionSummarySerializer):
    """One attempt at an instance, with what the handler returned."""

    result = extend_schema_field({"nullable": True, "description": "Any JSON value of at most 1 MiB."})(
        serializers.JSONField
    )(read_only=True)

    class Meta(ExecutionSummarySerializer.Meta):
        fields = [*ExecutionSummarySerializer.Meta.fields, "result"]
        read_only_fields = fields


class LogRangeSerializer(serializers.Serializer[Any]):
    """Which part of a log is asked for."""

    after = serializers.IntegerField(
        min_value=-1,
        max_value=2**31 - 1,
        default=-1,
        help_text=_("Only chunks whose `seq` is greater: `next_after` of the answer before."),
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=MOST_CHUNKS, default=100, help_text=_("The most chunks of one JSON answer.")
    )
    render = serializers.ChoiceField(
        choices=["json", "text"],
        default="json",
        help_text=_("`text`: everything after `after` as one plain file, without regard to `limit`."),
    )


class ChunkSerializer(serializers.Serializer[Any]):
    """A piece of output, as it was stored."""

    seq = serializers.IntegerField(help_text=_("Counts from 0 without a gap."))
    stream = serializers.CharField(help_text=_("stdout, stderr, or note for a remark of the worker's own."))
    at = MomentField()
    text = serializers.CharField(source="body")


class LogSerializer(serializers.Serializer[Any]):
    """A range of chunks, and from where to go on."""

    chunks = ChunkSerializer(many=True)
    next_after = serializers.IntegerField(help_text=_("Give this as `after` to go on without a gap or a double."))
    complete = serializers.BooleanField(help_text=_("The execution has ended, and nothing follows."))


class LogIndexRangeSerializer(serializers.Serializer[Any]):
    """Which part of an index is asked for."""

    after = serializers.IntegerField(
        min_value=-1,
        max_value=2**31 - 1,
        default=-1,
        help_text=_("Only chunks whose `seq` is greater: `next_after` of the answer before."),
    )


class LogIndexSerializer(serializers.Serializer[Any]):
    """The chunks of a log, a list for each property, all of the same length."""

    seq = serializers.ListField(child=serializers.IntegerField())
    stream = serializers.ListField(child=serializers.CharField())
    at = serializers.ListField(child=MomentField())
    bytes = serializers.ListField(child=serializers.IntegerField())
    lines = serializers.ListField(child=serializers.IntegerField(), help_text=_("How many lines end in the chunk."))
    unended = serializers.ListField(
        child=serializers.BooleanField(), help_text=_("Whether the last line of the chunk goes on.")
    )
    next_after = serializers.IntegerField(help_text=_("Give this as `after` to go on without a gap or a double."))
    state = serializers.CharField(help_text=_("Of the execution."))
    more = serializers.BooleanField(help_text=_("There are more chunks already."))
    complete = serializers.BooleanField(help_text=_("The execution has ended, and nothing follows."))


class LogSearchSerializer(serializers.Serializer[Any]):
    """What is looked for in a log."""

    text = serializers.CharField(max_length=LONGEST_SEARCH, trim_whitespace=False)
    stream = serializers.CharField(
        max_length=10, default="", allow_blank=True, help_text=_("Only lines of this stream.")
    )


class LogMatchesSerializer(serializers.Serializer[Any]):
    """Where a text was found."""

    lines = serializers.ListField(child=serializers.IntegerField(), help_text=_("At most 10000 of them, in order."))
    total = serializers.IntegerField(help_text=_("How many lines hold the text."))
