"""The endpoints of instances."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as ModelValidationError
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.actor import actor_of
from accounts.api.pagination import NewestFirst
from accounts.api.responses import FORBIDDEN, INVALID, MISSING, UNAUTHENTICATED, problem
from accounts.permissions import Somebody
from scheduling.api.history import task_handler, task_name
from scheduling.api.instance_filters import InstanceFilter
from scheduling.api.instance_serializers import (
    CancelledSerializer,
    CancelSerializer,
    InstanceDetailSerializer,
    InstanceSerializer,
)
from scheduling.models import TaskInstance
from scheduling.models.instance import TaskInstanceQuerySet
from scheduling.services import cancel_instances, rerun_instance


class NotPossibleNow(APIException):
    """The request makes sense, but not in the state that things are in."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = _("This is not possible now.")
    default_code = "conflict"


def readable_instances(user: Somebody) -> TaskInstanceQuerySet:
    """The instances that ``user`` may see, deleted tasks' included, with all that the API shows of them."""
    # The task itself is not joined: its row may be gone, and the history stays.
    return (
        TaskInstance.objects.visible_to(user)
        .with_entry()
        .select_related("namespace", "triggered_by")
        .annotate(task_name=task_name(), handler=task_handler())
    )


def read_instance(user: Somebody, pk: int) -> TaskInstance:
    """Return the instance as it stands now."""
    return readable_instances(user).get(pk=pk)


@extend_schema(tags=["instances"])
@extend_schema_view(
    list=extend_schema(
        operation_id="list_instances",
        summary="List instances",
        description="Newest first. A range of `scheduled_for` makes the answer fast, however long the history is.",
        responses={200: InstanceSerializer(many=True), 400: INVALID, 401: UNAUTHENTICATED},
    ),
    retrieve=extend_schema(
        operation_id="get_instance",
        summary="Show an instance",
        description="With `waiting`: what has to be so before it starts, gate by gate.",
        responses={200: InstanceDetailSerializer, 401: UNAUTHENTICATED, 404: MISSING},
    ),
)
class InstanceViewSet(viewsets.ReadOnlyModelViewSet[TaskInstance]):
    """Planned occurrences of tasks, from their firing to their final state."""

    queryset = TaskInstance.objects.none()
    serializer_class = InstanceSerializer
    filterset_class = InstanceFilter
    pagination_class = NewestFirst
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> TaskInstanceQuerySet:
        """Return the instances that the user may see."""
        return readable_instances(self.request.user)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show one instance, and why it has not started."""
        return Response(InstanceDetailSerializer(self.get_object(), context=self.get_serializer_context()).data)

    @extend_schema(
        operation_id="cancel_instance",
        summary="Cancel an instance",
        description=(
            "What has not started ends at once; what runs is told to stop within seconds, and ends as `cancelled` "
            "unless it succeeds first. With `kill` it gets no grace, also when it was told to stop before. Needs the "
            "role operator."
        ),
        request=CancelSerializer,
        examples=[
            OpenApiExample("Why", value={"comment": "wrong month"}, request_only=True),
            OpenApiExample("At once", value={"kill": True, "comment": "it floods the log"}, request_only=True),
        ],
        responses={
            202: CancelledSerializer,
            400: INVALID,
            401: UNAUTHENTICATED,
            403: FORBIDDEN,
            404: MISSING,
        },
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel the instance, and tell which way it went."""
        instance = self.get_object()
        asked = CancelSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        actor = actor_of(request)
        done = cancel_instances(
            [instance],
            actor=actor,
            comment=asked.validated_data.get("comment", ""),
            kill=asked.validated_data["kill"],
        )
        result = (
            "cancelled"
            if instance.pk in done.cancelled
            else "requested"
            if instance.pk in done.requested
            else "already_ended"
        )
        body: Any = {"result": result, "instance": read_instance(actor, instance.pk)}
        return Response(
            CancelledSerializer(body, context=self.get_serializer_context()).data,
            status=status.HTTP_202_ACCEPTED,
        )

    @extend_schema(
        operation_id="rerun_instance",
        summary="Run an instance again",
        description=(
            "Makes a new instance with the same params, by the task's present definition, whose `rerun_of` is "
            "this one. Needs the role operator."
        ),
        request=None,
        responses={
            201: OpenApiResponse(InstanceDetailSerializer, description="The new instance."),
            400: INVALID,
            401: UNAUTHENTICATED,
            403: FORBIDDEN,
            404: MISSING,
            409: problem(
                "It has not ended, or its task was deleted.",
                OpenApiExample("Unfinished", value={"detail": "Instance 7 has not ended yet; cancel it first."}),
            ),
        },
    )
    @action(detail=True, methods=["post"])
    def rerun(self, request: Request, pk: str) -> Response:
        """Make a new instance like this one."""
        actor = actor_of(request)
        try:
            instance = rerun_instance(self.get_object(), actor=actor)
        except ModelValidationError as error:
            if hasattr(error, "error_dict"):
                raise
            raise NotPossibleNow(" ".join(error.messages)) from error
        shown = read_instance(actor, instance.pk)
        body = InstanceDetailSerializer(shown, context=self.get_serializer_context()).data
        return Response(body, status=status.HTTP_201_CREATED)
