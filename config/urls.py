"""Routing only."""

from django.contrib import admin
from django.urls import include, path

from accounts.admin.preferences import preferences, switch_language
from config.health import healthz, readyz
from config.metrics import metrics

urlpatterns = [
    path("admin/preferences/", preferences, name="preferences"),
    path("admin/language/", switch_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("api/", include("config.api")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
handler500 = "config.api_errors.server_error"
