"""Routing only."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts.admin.preferences import preferences, switch_language
from config.dashboard.views import parts
from config.health import healthz, readyz
from config.metrics import metrics
from scheduling.admin.fleet_calendar import fleet_calendar

# Pages register themselves, and the addresses below are made of what is registered.
admin.autodiscover()

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/dashboard/", admin.site.admin_view(parts), name="admin_dashboard_parts"),
    path("admin/fleet-calendar/", admin.site.admin_view(fleet_calendar), name="admin_fleet_calendar"),
    path("admin/preferences/", preferences, name="preferences"),
    path("admin/language/", switch_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("api/", include("config.api")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
handler500 = "config.api_errors.server_error"
