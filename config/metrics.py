"""/metrics: numbers for Prometheus, for whoever shows the token or is logged in to the admin."""

from __future__ import annotations

import logging
from hmac import compare_digest

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from accounts.models import User
from scheduling.db import callers_connection
from workers.vitals import Vitals

logger = logging.getLogger(__name__)

_vitals = Vitals()


class _Read(Collector):
    """What was read, in the shape that the exposition wants."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with every number in Prometheus's text format; 401 to strangers, 503 while the database is away."""
    if not _may_read(request):
        refused = _plain(_("Show the token of ROTA_METRICS_TOKEN as a bearer token, or log in to the admin."), 401)
        refused.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return refused
    try:
        read = list(_vitals.metrics(callers_connection()))
    except (Error, psycopg.Error, ImproperlyConfigured) as error:
        logger.warning("metrics: %s", str(error).strip(), extra={"action": "metrics"})
        return _plain(_("The database cannot be reached."), 503)
    registry = CollectorRegistry()
    registry.register(_Read(read))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    scheme, _space, shown = request.headers.get("Authorization", "").partition(" ")
    token = settings.METRICS_TOKEN
    if token and scheme.lower() == "bearer":
        return compare_digest(shown.strip().encode(), token.encode())
    try:
        user = request.user
        return isinstance(user, User) and user.is_active and user.is_staff
    except (Error, ImproperlyConfigured):
        # Who is logged in is in the database, too.
        return False


def _plain(sentence: str, status: int) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", content_type="text/plain; charset=utf-8", status=status)
