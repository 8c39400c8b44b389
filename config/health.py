"""What a load balancer and an orchestrator ask: does the process live, can it work, and is scheduling going on?

All answer without a log-in, and none tells anything about the installation.
"""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from scheduling.conf import conf
from scheduling.db import callers_connection
from scheduling.schema import missing_migrations
from scheduling.vitals import vitals

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process answers at all; the database is not asked."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database is reachable and up to date, and schedulers live and keep up; else 503.

    The body names each check, whether it holds, and what is wrong. With `?only=web` the schedulers are not looked
    at: a load balancer should not take the console away when it is needed.
    """
    checks: dict[str, dict[str, Any]] = {}
    try:
        missing = missing_migrations()
        checks["database"] = {"ok": True}
        if missing:
            checks["migrations"] = _wrong(_("The database is not up to date: run manage.py migrate."))
        else:
            checks["migrations"] = {"ok": True}
            if request.GET.get("only") != "web":
                checks |= _scheduling()
    except (Error, psycopg.Error, ImproperlyConfigured) as error:
        logger.warning("readyz: %s", str(error).strip(), extra={"action": "not_ready"})
        checks["database"] = _wrong(_("The database cannot be reached."))
    wrong = [check["detail"] for check in checks.values() if not check["ok"]]
    if wrong:
        return JsonResponse({"status": "unavailable", "detail": " ".join(wrong), "checks": checks}, status=503)
    return JsonResponse({"status": "ok", "checks": checks})


def _scheduling() -> dict[str, dict[str, Any]]:
    now, most = vitals(callers_connection()), conf().READY_LAG_SECONDS
    alive: dict[str, Any] = {"ok": now.schedulers_alive > 0, "alive": now.schedulers_alive}
    if not alive["ok"]:
        alive["detail"] = _("No scheduler is alive: nothing becomes due. Start manage.py runscheduler.")
    lag: dict[str, Any] = {"ok": now.overdue_seconds <= most, "seconds": round(now.overdue_seconds, 3)}
    if not lag["ok"]:
        lag["detail"] = _("Schedulers are late: a tick has been waiting for %(n)d s.") % {"n": now.overdue_seconds}
    return {"schedulers": alive, "lag": lag}


def _wrong(sentence: str) -> dict[str, Any]:
    return {"ok": False, "detail": sentence}
