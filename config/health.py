"""What a load balancer and an orchestrator ask: does the process live, and can it work?

Both answer without a log-in, and neither tells anything about the installation.
"""

from __future__ import annotations

import logging

from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from scheduling.schema import missing_migrations

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process answers at all; the database is not asked."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database can be reached and has every migration of this code, else 503."""
    try:
        missing = missing_migrations()
    except (Error, ImproperlyConfigured) as error:
        logger.warning("readyz: %s", str(error).strip(), extra={"action": "not_ready"})
        return _not_ready(_("The database cannot be reached."))
    if missing:
        return _not_ready(_("The database is not up to date: run manage.py migrate."))
    return JsonResponse({"status": "ok"})


def _not_ready(sentence: str) -> HttpResponse:
    return JsonResponse({"status": "unavailable", "detail": sentence}, status=503)
