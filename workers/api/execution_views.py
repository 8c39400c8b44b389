"""The endpoints of executions and their logs."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import refuse_unknown
from accounts.api.pagination import NewestFirst
from accounts.api.responses import INVALID, MISSING, UNAUTHENTICATED
from scheduling.api.history import task_name
from workers.api.execution_filters import ExecutionFilter
from workers.api.execution_serializers import (
    MOST_INDEXED,
    ExecutionSerializer,
    ExecutionSummarySerializer,
    LogIndexRangeSerializer,
    LogIndexSerializer,
    LogMatchesSerializer,
    LogRangeSerializer,
    LogSearchSerializer,
    LogSerializer,
)
from workers.log_text import chunks_of, log_file, log_index, search_log
from workers.models import Execution, Node
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
        chunks = chunks_of(execution).filter(seq__gt=after)
        if asked.validated_data["render"] == "text":
            return log_file(request._request, execution, after=after)
        found = list(chunks[: limit + 1])
        shown = found[:limit]
        body = {
            "chunks": shown,
            "next_after": shown[-1].seq if shown else after,
            "complete": execution.finished_at is not None and len(found) == len(shown),
        }
        return Response(LogSerializer(body).data)

    @extend_schema(
        operation_id="index_log",
        summary="Show what chunks a log has",
        description=(
            "Sizes, lines and moments without the text, one list for each, so that a viewer of a long log finds the "
            "chunks that it needs. A line ends at a newline, or where another stream writes before it was ended."
        ),
        parameters=[LogIndexRangeSerializer],
        responses={200: LogIndexSerializer, 400: INVALID, 401: UNAUTHENTICATED, 404: MISSING},
    )
    @action(detail=True, methods=["get"], url_path="log/index", filterset_class=None, pagination_class=None)
    def log_index(self, request: Request, pk: str) -> Response:
        """Return a range of the index."""
        asked = _asked(LogIndexRangeSerializer(data=request.query_params), request)
        execution = self.get_object()
        rows = log_index(execution, after=asked["after"], most=MOST_INDEXED + 1)
        shown = rows[:MOST_INDEXED]
        seq, stream, at, size, lines, unended = zip(*shown, strict=True) if shown else ((), (), (), (), (), ())
        body = {
            "seq": seq,
            "stream": stream,
            "at": at,
            "bytes": size,
            "lines": lines,
            "unended": unended,
            "next_after": seq[-1] if seq else asked["after"],
            "state": execution.state,
            "more": len(rows) > len(shown),
            "complete": execution.finished_at is not None and len(rows) == len(shown),
        }
        return Response(LogIndexSerializer(body).data)

    @extend_schema(
        operation_id="search_log",
        summary="Search a log",
        description="The numbers, from 1, of the lines that hold a text; upper and lower case are the same.",
        parameters=[LogSearchSerializer],
        responses={200: LogMatchesSerializer, 400: INVALID, 401: UNAUTHENTICATED, 404: MISSING},
    )
    @action(detail=True, methods=["get"], url_path="log/search", filterset_class=None, pagination_class=None)
    def log_search(self, request: Request, pk: str) -> Response:
        """Return the lines that hold a text."""
        asked = _asked(LogSearchSerializer(data=request.query_params), request)
        found = search_log(self.get_object(), asked["text"], stream=asked["stream"] or None)
        return Response({"lines": [line + 1 for line in found.lines], "total": found.total})


def _asked(asked: serializers.Serializer[Any], request: Request) -> dict[str, Any]:
    refuse_unknown(request.query_params, asked.fields)
    asked.is_valid(raise_exception=True)
    valid: dict[str, Any] = asked.validated_data
    return valid
