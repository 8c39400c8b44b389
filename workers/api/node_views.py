"""The endpoints of nodes."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.actor import actor_of
from accounts.api.filters import CharFilter, FilterSet
from accounts.api.pagination import ByName
from accounts.api.responses import FORBIDDEN, INVALID, MISSING, UNAUTHENTICATED
from accounts.api.serializers import StrictModelSerializer, StrictSerializer
from scheduling.db import callers_connection, database_now
from workers.domain.states import NodeHealth
from workers.models import Node
from workers.services import drain_node, resume_node

HEALTH_LABELS = {
    NodeHealth.ONLINE: _("online"),
    NodeHealth.DRAINING: _("takes no new work"),
    NodeHealth.STOPPED: _("ended in order"),
    NodeHealth.LOST: _("gone silent without a word"),
}


#: Value and word for people.
HEALTH_CHOICES = [(health.value, label) for health, label in HEALTH_LABELS.items()]


class MachineSerializer(StrictSerializer):
    """How a worker's machine does."""

    load = serializers.FloatField(required=False, help_text=_("Processes that run or want to, mean of a minute."))
    cpus = serializers.IntegerField(required=False)
    memory_bytes = serializers.IntegerField(required=False)
    memory_free_bytes = serializers.IntegerField(required=False)


class NodeSerializer(StrictModelSerializer[Node]):
    """One named place where a worker runs."""

    health = serializers.SerializerMethodField()
    queues = serializers.ListField(child=serializers.CharField(), read_only=True)
    handlers = serializers.ListField(child=serializers.CharField(), read_only=True)
    counts = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    machine = MachineSerializer(
        read_only=True,
        help_text=_("As of the last heartbeat; what the system does not tell is left out."),
    )

    class Meta:
        model = Node
        fields = [
            "id",
            "name",
            "health",
            "host",
            "pid",
            "queues",
            "handlers",
            "slots",
            "busy",
            "version",
            "started_at",
            "last_seen_at",
            "held_at",
            "held_by",
            "held_reason",
            "counts",
            "machine",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=HEALTH_CHOICES))
    def get_health(self, node: Node) -> str:
        """Return the worker's own word, judged by the age of its heartbeat."""
        return node.health(self.context["now"]).value


class DrainSerializer(StrictSerializer):
    """Why a node is drained."""

    reason = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=500, help_text=_("For whoever looks at the node.")
    )


class NodeFilter(FilterSet):
    """The query string of `GET /nodes/`."""

    name = CharFilter()
    queue = CharFilter(method="narrow_to_serving", label=_("serves this queue"))
    handler = CharFilter(method="narrow_to_serving", label=_("runs this handler"))

    class Meta:
        model = Node
        fields: list[str] = []

    def narrow_to_serving(self, queryset: QuerySet[Node], name: str, value: str) -> Any:
        """Keep the nodes that serve the queue, or run the handler."""
        return queryset.filter(**{f"{name}s__contains": [value]})


@extend_schema(tags=["nodes"])
@extend_schema_view(
    list=extend_schema(
        operation_id="list_nodes",
        summary="List nodes",
        description="By name. Nodes serve every namespace, so everybody who is logged in may see them.",
        responses={200: NodeSerializer(many=True), 400: INVALID, 401: UNAUTHENTICATED},
    )
)
class NodeViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Node]):
    """Where work runs."""

    queryset = Node.objects.all()
    serializer_class = NodeSerializer
    filterset_class = NodeFilter
    pagination_class = ByName
    lookup_field = "name"
    lookup_value_regex = "[^/]+"

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context with the database's clock, which heartbeats are written by."""
        context = dict(super().get_serializer_context())
        if not getattr(self, "swagger_fake_view", False):
            context["now"] = database_now(callers_connection())
        return context

    def get_object(self) -> Node:
        """Return the node of the address; no name has the character NUL, which PostgreSQL takes in no text."""
        if "\0" in self.kwargs["name"]:
            raise Http404
        return super().get_object()

    @extend_schema(
        operation_id="drain_node",
        summary="Drain a node",
        description=(
            "Its worker takes nothing more, gives back what it has not begun, finishes what runs and ends with exit "
            "code 0. A worker that is started under the same name waits until the node is resumed. Draining it again "
            "changes nothing but the reason. Needs the role operator in every namespace, because a node serves them "
            "all."
        ),
        request=DrainSerializer,
        responses={200: NodeSerializer, 400: INVALID, 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING},
    )
    @action(detail=True, methods=["post"])
    def drain(self, request: Request, name: str) -> Response:
        """Drain the node, and show it."""
        asked = DrainSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        drain_node(self.get_object().name, actor=actor_of(request), reason=asked.validated_data["reason"])
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        operation_id="resume_node",
        summary="Let a drained node go on",
        description=(
            "A worker that waits there goes on at once; one that has ended has to be started. A node that is not held "
            "stays as it is. Needs the role operator in every namespace."
        ),
        request=None,
        responses={200: NodeSerializer, 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING},
    )
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, name: str) -> Response:
        """Resume the node, and show it."""
        resume_node(self.get_object().name, actor=actor_of(request))
        return Response(self.get_serializer(self.get_object()).data)
