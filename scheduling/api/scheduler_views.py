"""The endpoint of schedulers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, viewsets

from accounts.api.pagination import NewestFirst
from accounts.api.responses import INVALID, UNAUTHENTICATED
from accounts.api.serializers import StrictModelSerializer
from scheduling.db import callers_connection, database_now
from scheduling.models import Scheduler
from scheduling.models.scheduler import SCHEDULER_HEALTH_LABELS

#: Value and word for people.
HEALTH_CHOICES = [(health.value, label) for health, label in SCHEDULER_HEALTH_LABELS.items()]


class SchedulerSerializer(StrictModelSerializer[Scheduler]):
    """One scheduler process."""

    health = serializers.SerializerMethodField()
    counts = serializers.DictField(child=serializers.IntegerField(), read_only=True)

    class Meta:
        model = Scheduler
        fields = [
            "id",
            "name",
            "health",
            "host",
            "pid",
            "version",
            "started_at",
            "last_seen_at",
            "stopped_at",
            "lag_seconds",
            "counts",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=HEALTH_CHOICES))
    def get_health(self, scheduler: Scheduler) -> str:
        """Return the process's own word, judged by the age of its heartbeat."""
        return scheduler.health(self.context["now"]).value


@extend_schema(tags=["nodes"])
@extend_schema_view(
    list=extend_schema(
        operation_id="list_schedulers",
        summary="List schedulers",
        description=(
            "The one that started last comes first; one that is gone is shown for a day. Schedulers serve every "
            "namespace, so everybody who is logged in may see them."
        ),
        responses={200: SchedulerSerializer(many=True), 400: INVALID, 401: UNAUTHENTICATED},
    )
)
class SchedulerViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Scheduler]):
    """Who turns due tasks into instances."""

    queryset = Scheduler.objects.all()
    serializer_class = SchedulerSerializer
    pagination_class = NewestFirst

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context with the database's clock, which heartbeats are written by."""
        context = dict(super().get_serializer_context())
        if not getattr(self, "swagger_fake_view", False):
            context["now"] = database_now(callers_connection())
        return context
