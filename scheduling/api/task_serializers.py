"""Tasks and their triggers as JSON. Shapes only: whether a definition is sound, the services say."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import MomentField, NamespaceField
from accounts.api.serializers import StrictModelSerializer, StrictSerializer
from scheduling.api.seconds import SecondsField
from scheduling.domain.task_trigger import TRIGGER_FIELDS
from scheduling.models import Task
from scheduling.services.shown_params import shown_params
from scheduling.task_state import TASK_STATE_CHOICES, clock_of, state_of

_PARAMS_SCHEMA = {"type": "object", "additionalProperties": True}

#: Where a serializer's context keeps the schemas of handlers.
_SCHEMAS = "rota_params_schemas"


@extend_schema_field(_PARAMS_SCHEMA)
class ParamsField(serializers.JSONField):
    """A JSON object whose schema is the handler's."""


@extend_schema_field(_PARAMS_SCHEMA)
class ShownParamsField(ParamsField):
    """The params of a task or an instance, with a mask instead of each secret."""

    def get_attribute(self, instance: Any) -> Any:
        """Return the params as everybody may see them."""
        # One schema serves all rows of a page.
        context: Any = self.context
        schemas = context.setdefault(_SCHEMAS, {})
        params = super().get_attribute(instance)
        return None if params is None else shown_params(instance.handler or "", params, schemas=schemas)


class CalendarNamesField(serializers.ListField):
    """The calendars of a task by their names; which names there are, depends on its namespace."""

    child = serializers.CharField(trim_whitespace=False)

    def to_representation(self, data: Any) -> list[str]:
        """Return the names, in order."""
        return sorted(calendar.name for calendar in data.all())


@extend_schema_field({"type": "string", "nullable": True, "example": "sales database"})
class PoolNameField(serializers.CharField):
    """The pool of a task by its name; which names there are, depends on its namespace."""

    def to_representation(self, value: Any) -> str:
        """Return the name."""
        return str(value.name)


class TaskSerializer(StrictModelSerializer[Task]):
    """A definition: handler, params, trigger and policies; and, for reading, how it stands."""

    namespace = NamespaceField(
        required=False, help_text=_("Its name. Left out: “default” for a new task, unchanged for a stored one.")
    )
    params = ShownParamsField(
        required=False,
        help_text=_(
            "What the handler gets; GET /handlers/ has the JSON Schema of each handler. Secrets are shown as a mask, "
            "and a mask that is sent back keeps what is stored."
        ),
    )
    every_seconds = SecondsField(
        required=False,
        allow_null=True,
        help_text=_("The interval, or the delay after an instance has ended; 0.1 or more, to the millisecond."),
    )
    calendars = CalendarNamesField(
        required=False, help_text=_("The names of calendars of its namespace; a tick that they black out is skipped.")
    )
    pool = PoolNameField(
        required=False,
        allow_null=True,
        trim_whitespace=False,
        help_text=_("The name of a pool of its namespace; null for none."),
    )
    state = serializers.SerializerMethodField()
    next_run_at = serializers.SerializerMethodField(
        help_text=_("Empty until a scheduler has planned it, and while the task is paused, finished or manual.")
    )
    last_fired_for = serializers.SerializerMethodField()
    schedule_error = serializers.SerializerMethodField(help_text=_("Why the schedule cannot be planned."))

    class Meta:
        model = Task
        fields = [
            "id",
            "namespace",
            "name",
            "description",
            "enabled",
            "state",
            "handler",
            "params",
            *TRIGGER_FIELDS,
            "delay_seconds",
            "jitter_seconds",
            "calendars",
            "catch_up",
            "misfire_grace_seconds",
            "max_catch_up",
            "overlap",
            "concurrency_key",
            "max_running",
            "pool",
            "pool_weight",
            "max_attempts",
            "retry_backoff",
            "retry_delay_seconds",
            "retry_max_delay_seconds",
            "retry_delays",
            "retry_on",
            "give_up_on",
            "timeout_seconds",
            "soft_timeout_seconds",
            "kill_grace_seconds",
            "max_processes",
            "max_memory_mb",
            "max_cpu_seconds",
            "on_worker_lost",
            "priority",
            "queue",
            "owner",
            "next_run_at",
            "last_fired_for",
            "schedule_error",
            "version",
            "created_at",
            "updated_at",
        ]
        # Whose definition files it belongs to is decided where those are applied.
        read_only_fields = ["owner", "version", "created_at", "updated_at"]
        # Whether a name is free is the service's question, with everything else that is wrong.
        validators: list[Any] = []

    @extend_schema_field(serializers.ChoiceField(choices=TASK_STATE_CHOICES))
    def get_state(self, task: Task) -> str:
        """Return how the task stands."""
        return state_of(task).value

    @extend_schema_field(MomentField(allow_null=True))
    def get_next_run_at(self, task: Task) -> Any:
        """Return the tick that the task waits for."""
        clock = clock_of(task)
        return MomentField().to_representation(clock.next_run_at) if clock and clock.next_run_at else None

    @extend_schema_field(MomentField(allow_null=True))
    def get_last_fired_for(self, task: Task) -> Any:
        """Return the tick that fired last."""
        clock = clock_of(task)
        return MomentField().to_representation(clock.last_fired_for) if clock and clock.last_fired_for else None

    def get_schedule_error(self, task: Task) -> str:
        """Return why the schedule cannot be planned; empty when it can."""
        clock = clock_of(task)
        return clock.error if clock else ""


class RunSerializer(StrictSerializer):
    """A run outside the task's own trigger."""

    params = ParamsField(required=False, allow_null=True, help_text=_("Laid over the task's own params, key by key."))
    at = MomentField(required=False, allow_null=True, help_text=_("Run it then; by default, now."))
    key = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        trim_whitespace=False,
        help_text=_("The idempotency key, for clients that cannot set a header; at most 200 characters."),
    )

    def validate_params(self, params: Any) -> Any:
        """Refuse what is not a JSON object."""
        if params is not None and not isinstance(params, dict):
            raise serializers.ValidationError(_("Params are a JSON object."))
        return params
