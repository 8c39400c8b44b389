"""What statistics can be asked for: the same parameters wherever they are read."""

from __future__ import annotations

from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api.actor import actor_of
from accounts.api.filters import refuse_unknown, require_namespace
from accounts.api.serializers import StrictSerializer
from scheduling.domain.spans import Span
from scheduling.statistics import Scope, TaskOrder, scope_of

#: The most lines of one answer.
MOST_TASKS, MOST_FIRES, MOST_FAILURES = 100, 1000, 100


class ZoneField(serializers.CharField):
    """An IANA time zone."""

    default_error_messages = {"unknown": _("There is no time zone “{value}”; give an IANA name such as Asia/Shanghai.")}

    def to_internal_value(self, data: Any) -> Any:
        """Return the zone."""
        name = super().to_internal_value(data)
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fail("unknown", value=name)


class NamespaceQuerySerializer(StrictSerializer):
    """Whose numbers."""

    namespace = serializers.CharField(
        required=False, help_text=_("The namespace's name; all that you may see without it.")
    )


class ScopeQuerySerializer(NamespaceQuerySerializer):
    """Whose numbers, of one task or all."""

    task = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1, help_text=_("The task's id."))


class SpanQuerySerializer(StrictSerializer):
    """Of which time."""

    range = serializers.ChoiceField(
        choices=[
            (Span.DAY.value, _("the last 24 hours, by hour")),
            (Span.WEEK.value, _("the last 7 days, by day")),
            (Span.MONTH.value, _("the last 30 days, by day")),
        ],
        default=Span.DAY.value,
    )
    timezone = ZoneField(
        required=False, help_text=_("An IANA name; days begin at its midnight. The server's without it.")
    )


class OutcomesQuerySerializer(SpanQuerySerializer, ScopeQuerySerializer):
    """The query string of `GET /statistics/outcomes/`."""


class TasksQuerySerializer(SpanQuerySerializer, ScopeQuerySerializer):
    """The query string of `GET /statistics/tasks/`."""

    order = serializers.ChoiceField(
        choices=[
            (TaskOrder.FAILING.value, _("most failures first; only tasks that failed")),
            (TaskOrder.SLOWEST.value, _("longest mean duration first; only tasks that ran")),
            (TaskOrder.BUSIEST.value, _("most ends first")),
        ],
        default=TaskOrder.BUSIEST.value,
    )
    limit = serializers.IntegerField(min_value=1, max_value=MOST_TASKS, default=10)


class FiresQuerySerializer(ScopeQuerySerializer):
    """The query string of `GET /statistics/upcoming/`."""

    limit = serializers.IntegerField(min_value=1, max_value=MOST_FIRES, default=200)


class FailuresQuerySerializer(ScopeQuerySerializer):
    """The query string of `GET /statistics/failures/`."""

    limit = serializers.IntegerField(min_value=1, max_value=MOST_FAILURES, default=10)


S = TypeVar("S", bound=StrictSerializer)


def asked_for(request: Request, serializer: type[S]) -> dict[str, Any]:
    """Return the checked query string. Raises ValidationError by parameter."""
    refuse_unknown(request.query_params, serializer().fields)
    # `lang` and the like belong to everybody.
    names: list[str] = list(serializer().get_fields())
    asked = serializer(data={name: request.query_params[name] for name in names if name in request.query_params})
    asked.is_valid(raise_exception=True)
    fields: dict[str, Any] = dict(asked.validated_data)
    if isinstance(asked, SpanQuerySerializer):
        fields["range"] = Span(fields["range"])
        fields.setdefault("timezone", timezone.get_current_timezone())
    return fields


def scope_asked_for(request: Request, fields: dict[str, Any]) -> Scope:
    """Return the scope, within what the user may see. Raises ValidationError for a namespace that they do not see."""
    if "namespace" in fields:
        require_namespace(actor_of(request), fields["namespace"])
    return scope_of(actor_of(request), namespace=fields.get("namespace"), task_id=fields.get("task"))
