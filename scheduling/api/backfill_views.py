"""The endpoints of backfills."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as ModelValidationError
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.actor import actor_of
from accounts.api.filters import ChoiceFilter, FilterSet, IdFilter, NamespaceFilter
from accounts.api.pagination import NewestFirst
from accounts.api.responses import FORBIDDEN, INVALID, MISSING, UNAUTHENTICATED, problem
from accounts.permissions import require
from accounts.roles import Action
from scheduling.api.backfill_serializers import (
    FIELD_NAMES,
    BackfillDetailSerializer,
    BackfillPlanSerializer,
    BackfillSerializer,
    NewBackfillSerializer,
    StoppedSerializer,
    StopSerializer,
)
from scheduling.backfill_progress import visible_backfills
from scheduling.models import Backfill
from scheduling.models.backfill import BACKFILL_STATE_CHOICES, BackfillQuerySet
from scheduling.services.backfill import create_backfill, plan_backfill, stop_backfill


class BackfillFilter(FilterSet):
    """The query string of `GET /backfills/`."""

    namespace = NamespaceFilter()
    task = IdFilter(field_name="task_id")
    state = ChoiceFilter(choices=BACKFILL_STATE_CHOICES)

    class Meta:
        model = Backfill
        fields: list[str] = []


@extend_schema(tags=["backfills"])
@extend_schema_view(
    list=extend_schema(
        operation_id="list_backfills",
        summary="List backfills",
        description="Newest first; the progress of one is on its own address.",
        responses={200: BackfillSerializer(many=True), 400: INVALID, 401: UNAUTHENTICATED},
    ),
    retrieve=extend_schema(
        operation_id="get_backfill",
        summary="Show a backfill and how far it is",
        responses={200: BackfillDetailSerializer, 401: UNAUTHENTICATED, 404: MISSING},
    ),
    create=extend_schema(
        operation_id="create_backfill",
        summary="Run the ticks of a past range",
        description=(
            "Each tick of the task's present schedule in the range becomes an instance for its own moment, whatever a "
            "calendar says; every other limit of the task holds. With `dry_run`, the answer lists the ticks and "
            "nothing is stored. Needs the role operator."
        ),
        request=NewBackfillSerializer,
        examples=[
            OpenApiExample(
                "What failed last week, three at once",
                value={
                    "task": 7,
                    "from": "2026-03-02T00:00:00Z",
                    "until": "2026-03-08T23:59:59Z",
                    "reprocess": "failed",
                    "overlap": "allow",
                    "max_parallel": 3,
                },
                request_only=True,
            )
        ],
        responses={
            200: OpenApiResponse(BackfillPlanSerializer, description="A dry run."),
            201: BackfillDetailSerializer,
            400: problem(
                "A field is wrong, or there is nothing to run; nothing was stored.",
                OpenApiExample(
                    "Too many", value={"until": ["This range has 12048 ticks; one backfill takes at most 10000."]}
                ),
            ),
            401: UNAUTHENTICATED,
            403: FORBIDDEN,
        },
    ),
)
class BackfillViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Backfill]):
    """Past ranges of ticks, run on request."""

    queryset = Backfill.objects.none()
    serializer_class = BackfillSerializer
    filterset_class = BackfillFilter
    pagination_class = NewestFirst
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> BackfillQuerySet:
        """Return the backfills that the user may see."""
        return visible_backfills(self.request.user)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show one backfill."""
        return Response(self._shown(self.get_object()))

    def create(self, request: Request) -> Response:
        """Start a backfill, or say what it would do."""
        asked = NewBackfillSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        dry_run = fields.pop("dry_run")
        backfill = Backfill(**fields)
        actor = actor_of(request)
        require(actor, Action.OPERATE, backfill.task.namespace_id)
        try:
            if dry_run:
                plan = plan_backfill(backfill)
                body = {
                    "total": len(plan.ticks),
                    "in_range": plan.in_range,
                    "left_out": plan.left_out,
                    "ticks": plan.ticks,
                }
                return Response(BackfillPlanSerializer(body).data)
            create_backfill(backfill, actor=actor)
        except ModelValidationError as error:
            messages = error.message_dict
            raise ValidationError({FIELD_NAMES.get(name, name): messages[name] for name in messages}) from error
        return Response(self._shown(self._again(backfill)), status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="stop_backfill",
        summary="Stop a backfill",
        description=(
            "No further instances are made, and those that have not started are cancelled. What runs goes on, "
            "unless `cancel_running` says otherwise. A backfill that has ended stays as it is. Needs the role operator."
        ),
        request=StopSerializer,
        responses={200: StoppedSerializer, 400: INVALID, 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING},
    )
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """Stop the backfill, and tell how many instances were cancelled by it."""
        backfill = self.get_object()
        asked = StopSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        cancelled = stop_backfill(
            backfill, actor=actor_of(request), cancel_running=asked.validated_data["cancel_running"]
        )
        body: Any = {"cancelled": cancelled, "backfill": self._again(backfill)}
        return Response(StoppedSerializer(body, context=self.get_serializer_context()).data)

    def _again(self, backfill: Backfill) -> Backfill:
        return self.get_queryset().get(pk=backfill.pk)

    def _shown(self, backfill: Backfill) -> Any:
        return BackfillDetailSerializer(backfill, context=self.get_serializer_context()).data
