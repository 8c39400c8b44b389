"""The endpoint behind the question "is all well?"."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.fields import MomentField
from accounts.api.responses import INVALID, UNAUTHENTICATED
from scheduling.api.statistics_query import ScopeQuerySerializer, asked_for, scope_asked_for
from scheduling.statistics import QueueHealth, SchedulersHealth, queue_health, schedulers_health
from workers.statistics import NodesHealth, nodes_health


class QueueHealthSerializer(serializers.Serializer[QueueHealth]):
    """What is unfinished."""

    depth = serializers.IntegerField()
    ready = serializers.IntegerField()
    running = serializers.IntegerField()
    waiting_for_limit = serializers.IntegerField()
    waiting_for_retry = serializers.IntegerField()
    planned = serializers.IntegerField()
    oldest_due_at = MomentField(allow_null=True, help_text=_("Of what could run now, but for a worker or a limit."))
    oldest_due_seconds = serializers.FloatField(allow_null=True)
    oldest_ready_at = MomentField(allow_null=True, help_text=_("Of what waits for a worker and for nothing else."))
    oldest_ready_seconds = serializers.FloatField(allow_null=True)
    lag_seconds = serializers.FloatField(help_text=_("For how long the most overdue tick has not been fired."))
    failed_last_hour = serializers.IntegerField()


class SchedulersHealthSerializer(serializers.Serializer[SchedulersHealth]):
    """The schedulers together."""

    online = serializers.IntegerField()
    lost = serializers.IntegerField()
    lag_seconds = serializers.FloatField(
        allow_null=True, help_text=_("How late their latest firings were at the worst.")
    )


class NodesHealthSerializer(serializers.Serializer[NodesHealth]):
    """The nodes together."""

    online = serializers.IntegerField()
    draining = serializers.IntegerField()
    lost = serializers.IntegerField()
    slots = serializers.IntegerField()
    busy = serializers.IntegerField()


class HealthSerializer(serializers.Serializer[object]):
    """Queue, schedulers and nodes at one moment."""

    measured_at = MomentField()
    queue = QueueHealthSerializer()
    schedulers = SchedulersHealthSerializer()
    nodes = NodesHealthSerializer()


class HealthView(APIView):
    """Is all well?"""

    @extend_schema(
        operation_id="get_health",
        tags=["statistics"],
        summary="Is all well?",
        description=(
            "The queue of what you may see, narrowed by the parameters; schedulers and nodes are the same for "
            "everybody."
        ),
        parameters=[ScopeQuerySerializer],
        responses={200: HealthSerializer, 400: INVALID, 401: UNAUTHENTICATED},
    )
    def get(self, request: Request) -> Response:
        """Return the present state."""
        queue = queue_health(scope_asked_for(request, asked_for(request, ScopeQuerySerializer)))
        now = queue.measured_at
        body = {
            "measured_at": now,
            "queue": queue,
            "schedulers": schedulers_health(now),
            "nodes": nodes_health(now),
        }
        return Response(HealthSerializer(body).data)
