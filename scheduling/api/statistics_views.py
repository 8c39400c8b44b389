"""The endpoints of statistics: everything that charts show, as numbers."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.actor import actor_of
from accounts.api.responses import INVALID, MISSING, UNAUTHENTICATED
from scheduling.api.statistics_query import (
    FailuresQuerySerializer,
    FiresQuerySerializer,
    OutcomesQuerySerializer,
    SpanQuerySerializer,
    TasksQuerySerializer,
    asked_for,
    scope_asked_for,
)
from scheduling.api.statistics_serializers import (
    FailuresSerializer,
    OutcomeSeriesSerializer,
    TaskStatisticsSerializer,
    TaskTableSerializer,
    UpcomingSerializer,
)
from scheduling.db import callers_connection, database_now
from scheduling.models import Task
from scheduling.selectors import visible_tasks
from scheduling.statistics import (
    TaskOrder,
    latest_failures,
    outcomes_over_time,
    recent_ends,
    scope_of,
    task_figures,
    upcoming_fires,
)


class OutcomesView(APIView):
    """Outcomes over time."""

    @extend_schema(
        operation_id="get_outcomes",
        tags=["statistics"],
        summary="How did instances end, by hour or day?",
        description=(
            "The slots have no gap; the last one is the present hour or day. An instance is counted where it ended. "
            "Ends show up within seconds, and the answer costs the same however long the history is."
        ),
        parameters=[OutcomesQuerySerializer],
        responses={200: OutcomeSeriesSerializer, 400: INVALID, 401: UNAUTHENTICATED},
    )
    def get(self, request: Request) -> Response:
        """Return the series."""
        fields = asked_for(request, OutcomesQuerySerializer)
        series = outcomes_over_time(
            scope_asked_for(request, fields),
            span=fields["range"],
            zone=fields["timezone"],
            now=database_now(callers_connection()),
        )
        return Response(OutcomeSeriesSerializer(series).data)


class TaskTableView(APIView):
    """Figures by task."""

    @extend_schema(
        operation_id="get_task_figures",
        tags=["statistics"],
        summary="Which tasks fail most, take longest, run most?",
        parameters=[TasksQuerySerializer],
        responses={200: TaskTableSerializer, 400: INVALID, 401: UNAUTHENTICATED},
    )
    def get(self, request: Request) -> Response:
        """Return the first tasks in that order."""
        fields = asked_for(request, TasksQuerySerializer)
        found = task_figures(
            scope_asked_for(request, fields),
            span=fields["range"],
            zone=fields["timezone"],
            now=database_now(callers_connection()),
            order=TaskOrder(fields["order"]),
            limit=fields["limit"],
        )
        return Response(TaskTableSerializer({"results": found}).data)


class UpcomingView(APIView):
    """The next hour."""

    @extend_schema(
        operation_id="get_upcoming_fires",
        tags=["statistics"],
        summary="What fires within the next hour?",
        description="By the triggers of enabled tasks, in order; a calendar may still skip a tick.",
        parameters=[FiresQuerySerializer],
        responses={200: UpcomingSerializer, 400: INVALID, 401: UNAUTHENTICATED},
    )
    def get(self, request: Request) -> Response:
        """Return the ticks."""
        fields = asked_for(request, FiresQuerySerializer)
        scope = scope_asked_for(request, fields)
        found = upcoming_fires(scope, now=database_now(callers_connection()), limit=fields["limit"])
        return Response(UpcomingSerializer({"results": found}).data)


class FailuresView(APIView):
    """The latest failures."""

    @extend_schema(
        operation_id="get_latest_failures",
        tags=["statistics"],
        summary="What failed last, and why?",
        description="Newest failure first, of the last 30 days.",
        parameters=[FailuresQuerySerializer],
        responses={200: FailuresSerializer, 400: INVALID, 401: UNAUTHENTICATED},
    )
    def get(self, request: Request) -> Response:
        """Return the failures."""
        fields = asked_for(request, FailuresQuerySerializer)
        scope = scope_asked_for(request, fields)
        found = latest_failures(scope, now=database_now(callers_connection()), limit=fields["limit"])
        return Response(FailuresSerializer({"results": found}).data)


class TaskStatisticsView(APIView):
    """One task's past."""

    @extend_schema(
        operation_id="get_task_statistics",
        tags=["tasks"],
        summary="How did a task do?",
        description="Its outcomes over time, with ratio and duration, and how its last 50 instances ended.",
        parameters=[SpanQuerySerializer],
        responses={200: TaskStatisticsSerializer, 400: INVALID, 401: UNAUTHENTICATED, 404: MISSING},
    )
    def get(self, request: Request, pk: int) -> Response:
        """Return series and strip."""
        actor = actor_of(request)
        task: Task | None = visible_tasks(actor).filter(pk=pk).first()
        if task is None:
            raise Http404
        fields = asked_for(request, SpanQuerySerializer)
        series = outcomes_over_time(
            scope_of(actor, task_id=pk),
            span=fields["range"],
            zone=fields["timezone"],
            now=database_now(callers_connection()),
        )
        body: Any = {"span": series.span, "slots": series.slots, "total": series.total, "recent": recent_ends(pk)}
        return Response(TaskStatisticsSerializer(body).data)
