"""The endpoints of executions and their logs."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import refuse_unknown
from accounts.api.pagination import NewestFirst
from accounts.api.responses import INVALID, MISSING, UNAUTHENTICATED
from scheduling.api.history import task_name
from workers.api.execution_filters import ExecutionFilter
from workers.api.execution_serializers import (
    ExecutionSerializer,
    ExecutionSummarySerializer,
    LogRangeSerializer,
    LogSerializer,
)
from workers.models import Execution, LogChunk, Node
from workers.models.execution import ExecutionQuerySet


@extend_schema(tags=["executions"])
@extend_schema_view(
    list=extend_schema(
        operation_id="list_executions",
        summary="List executions",
        description="Newest first, without their results.",
        responses={200: ExecutionSummarySerializer(many=True), 400: INVALID, 401: UNAUTHENTICATED},
    ),
    retrieve=extend_schema(
        operation_id="get_execution",
        summary="Show an execution",
        responses={200: ExecutionSerializer, 401: UNAUTHENTICATED, 404: MISSING},
    ),
)
class ExecutionViewSet(viewsets.ReadOnlyModelViewSet[Execution]):
    """Attempts at instances, each by one node."""

    queryset = Execution.objects.none()
    filterset_class = ExecutionFilter
    pagination_class = NewestFirst
    lookup_value_regex = "[0-9]+"

    def get_serializer_class(self) -> type[ExecutionSummarySerializer]:
        """Return the short form for the list: a hundred results could be a hundred megabytes."""
        return ExecutionSummarySerializer if self.action == "list" else ExecutionSerializer

    def get_queryset(self) -> ExecutionQuerySet:
        """Return the executions that the user may see."""
        # Neither the task nor the node is joined: their rows may be gone, and the history stays.
        executions = (
            Execution.objects.visible_to(self.request.user)
            .select_related("namespace")
            .annotate(
                task_name=task_name(),
                node_name=Subquery(Node.objects.filter(pk=OuterRef("node_id")).values("name")),
            )
        )
        return executions.defer("result") if self.action == "list" else executions

    @extend_schema(
        operation_id="read_log",
        summary="Read an execution's log",
        description=(
            "Asking again with `after` set to `next_after` goes on where the last answer ended, also while the "
            "execution runs, until `complete` is true. `render=text` returns one plain file."
        ),
        parameters=[LogRangeSerializer],
        responses={
            (200, "application/json"): LogSerializer,
            (200, "text/plain"): OpenApiResponse(str, description="With `render=text`."),
            400: INVALID,
            401: UNAUTHENTICATED,
            404: MISSING,
        },
    )
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def log(self, request: Request, pk: str) -> HttpResponseBase:
        """Return a range of the log."""
        asked = LogRangeSerializer(data=request.query_params)
        refuse_unknown(request.query_params, asked.fields)
        asked.is_valid(raise_exception=True)
        after, limit = asked.validated_data["after"], asked.validated_data["limit"]
        # The execution is read before its chunks: a log is stored before the end that it belongs to.
        execution = self.get_object()
        chunks = LogChunk.objects.filter(
            execution_id=execution.pk, scheduled_for=execution.scheduled_for, seq__gt=after
        ).order_by("seq")
        if asked.validated_data["render"] == "text":
            return _file(execution, chunks.values_list("body", flat=True))
        found = list(chunks[: limit + 1])
        shown = found[:limit]
        body = {
            "chunks": shown,
            "next_after": shown[-1].seq if shown else after,
            "complete": execution.finished_at is not None and len(found) == len(shown),
        }
        return Response(LogSerializer(body).data)


def _file(execution: Execution, texts: Any) -> HttpResponse:
    return HttpResponse(
        "".join(texts),
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="execution-{execution.pk}.log"'},
    )
