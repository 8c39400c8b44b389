"""The addresses of the REST API, and of the pages that describe it."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from accounts.api.me_view import MeView
from accounts.api.views import ObtainTokenView, RefreshTokenView
from config.api_errors import nothing_here
from config.api_schema import SchemaView
from scheduling.api.backfill_views import BackfillViewSet
from scheduling.api.calendar_views import CalendarViewSet
from scheduling.api.definition_views import ApplyDefinitionsView, ExportDefinitionsView
from scheduling.api.handler_views import HandlerViewSet
from scheduling.api.instance_views import InstanceViewSet
from scheduling.api.ledger_views import LedgerView
from scheduling.api.pool_views import PoolViewSet
from scheduling.api.scheduler_views import SchedulerViewSet
from scheduling.api.statistics_views import (
    FailuresView,
    OutcomesView,
    TaskStatisticsView,
    TaskTableView,
    UpcomingView,
)
from scheduling.api.task_views import TaskViewSet
from workers.api.execution_views import ExecutionViewSet
from workers.api.health_view import HealthView
from workers.api.node_views import NodeViewSet

router = SimpleRouter()
router.register("tasks", TaskViewSet, basename="task")
router.register("calendars", CalendarViewSet, basename="calendar")
router.register("pools", PoolViewSet, basename="pool")
router.register("instances", InstanceViewSet, basename="instance")
router.register("backfills", BackfillViewSet, basename="backfill")
router.register("executions", ExecutionViewSet, basename="execution")
router.register("nodes", NodeViewSet, basename="node")
router.register("schedulers", SchedulerViewSet, basename="scheduler")
router.register("handlers", HandlerViewSet, basename="handler")

version_1: list[URLPattern | URLResolver] = [
    path("auth/token/", ObtainTokenView.as_view(), name="obtain-token"),
    path("auth/token/refresh/", RefreshTokenView.as_view(), name="refresh-token"),
    path("me/", MeView.as_view(), name="me"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("tasks/<int:pk>/ledger/", LedgerView.as_view(), name="task-ledger"),
    path("tasks/<int:pk>/statistics/", TaskStatisticsView.as_view(), name="task-statistics"),
    path("statistics/health/", HealthView.as_view(), name="statistics-health"),
    path("statistics/outcomes/", OutcomesView.as_view(), name="statistics-outcomes"),
    path("statistics/tasks/", TaskTableView.as_view(), name="statistics-tasks"),
    path("statistics/upcoming/", UpcomingView.as_view(), name="statistics-upcoming"),
    path("statistics/failures/", FailuresView.as_view(), name="statistics-failures"),
    path("definitions/apply/", ApplyDefinitionsView.as_view(), name="apply-definitions"),
    path("definitions/export/", ExportDefinitionsView.as_view(), name="export-definitions"),
    *router.urls,
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", include((version_1, "api"))),
    # The page in one request and its script in another, so that no inline script is needed.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="api-docs"),
    # Last: a client that asks for JSON should not get a page for people.
    re_path(r"^.*$", nothing_here),
]
