"""The endpoints of pools."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.actor import actor_of
from accounts.api.fields import default_namespace
from accounts.api.filters import CharFilter, FilterSet, NamespaceFilter
from accounts.api.pagination import OldestFirst
from accounts.api.responses import FORBIDDEN, INVALID, MISSING, UNAUTHENTICATED, problem
from accounts.api.serializers import checked
from scheduling.api.pool_serializers import PoolSerializer
from scheduling.api.problems import nothing_half_saved
from scheduling.models import Pool
from scheduling.models.pool import PoolQuerySet
from scheduling.services import delete_pool, find_pool_problems, save_pool

_DATABASE = OpenApiExample("Four at once", request_only=True, value={"name": "sales database", "slots": 4})
_USED = OpenApiExample("It is used", value={"detail": "“sales database” is used by “nightly report”; take it off …"})
_CHANGED: dict[int, Any] = {200: PoolSerializer, 400: INVALID, 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING}


class PoolFilter(FilterSet):
    """The query string of `GET /pools/`."""

    namespace = NamespaceFilter()
    name = CharFilter(label=_("exactly this name"))

    class Meta:
        model = Pool
        fields: list[str] = []


@extend_schema(tags=["pools"])
@extend_schema_view(
    list=extend_schema(
        operation_id="list_pools",
        summary="List pools",
        description="Oldest first, each with how full it is now.",
        responses={200: PoolSerializer(many=True), 400: INVALID, 401: UNAUTHENTICATED},
    ),
    retrieve=extend_schema(
        operation_id="get_pool",
        summary="Show a pool",
        responses={200: PoolSerializer, 401: UNAUTHENTICATED, 404: MISSING},
    ),
    create=extend_schema(
        operation_id="create_pool",
        summary="Create a pool",
        description="Needs the role administrator in the namespace.",
        examples=[_DATABASE],
        responses={201: PoolSerializer, 400: INVALID, 401: UNAUTHENTICATED, 403: FORBIDDEN},
    ),
    update=extend_schema(
        operation_id="replace_pool",
        summary="Replace a pool",
        description="What is left out gets its default, except `namespace`, which stays as it is.",
        examples=[_DATABASE],
        responses=_CHANGED,
    ),
    partial_update=extend_schema(
        operation_id="change_pool",
        summary="Change some fields of a pool",
        description="More slots let in what waits; fewer leave what runs alone. `slots: 0` admits nothing more.",
        examples=[OpenApiExample("Admit nothing more", request_only=True, value={"slots": 0})],
        responses=_CHANGED,
    ),
    destroy=extend_schema(
        operation_id="delete_pool",
        summary="Delete a pool",
        description="Refused while a task uses it.",
        responses={204: None, 400: problem("It is used.", _USED), 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING},
    ),
)
class PoolViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Pool]):
    """Limits that several tasks share."""

    queryset = Pool.objects.none()
    serializer_class = PoolSerializer
    filterset_class = PoolFilter
    pagination_class = OldestFirst
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> PoolQuerySet:
        """Return the pools that the user may see."""
        return Pool.objects.visible_to(self.request.user).select_related("namespace").prefetch_related("tasks")

    def create(self, request: Request) -> Response:
        """Store a new pool."""
        fields = checked(self.get_serializer(data=request.data))
        if "namespace" not in fields:
            fields["namespace"] = default_namespace(actor_of(request))
        return Response(self._stored(request, Pool(), fields), status=status.HTTP_201_CREATED)

    def update(self, request: Request, pk: str) -> Response:
        """Replace a pool."""
        fields = checked(self.get_serializer(data=request.data))
        return Response(self._stored(request, self.get_object(), {"description": "", "slots": 1, **fields}))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a pool."""
        fields = checked(self.get_serializer(data=request.data, partial=True))
        return Response(self._stored(request, self.get_object(), fields))

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a pool that no task uses."""
        delete_pool(self.get_object(), actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _stored(self, request: Request, pool: Pool, fields: dict[str, Any]) -> Any:
        for name, value in fields.items():
            setattr(pool, name, value)
        with nothing_half_saved(lambda: find_pool_problems(pool)):
            save_pool(pool, actor=actor_of(request))
        return self.get_serializer(self.get_queryset().get(pk=pool.pk)).data
