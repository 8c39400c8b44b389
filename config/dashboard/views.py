"""The parts of the first page by themselves, for a page that is open and brings itself up to date."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.admin.base import actor_of
from accounts.admin.patience import NoAnswer, patience
from config.dashboard.parts import read_parts
from scheduling.domain.spans import Span

logger = logging.getLogger(__name__)


def span_asked_for(request: HttpRequest) -> Span:
    """Return how far back to look; a day when that is not said, or not known."""
    try:
        return Span(request.GET.get("range", Span.DAY))
    except ValueError:
        return Span.DAY


def dashboard_context(request: HttpRequest, *, everything: bool = True) -> dict[str, Any]:
    """Return what the page's template needs; when the database does not answer, only that it does not."""
    span = span_asked_for(request)
    address = f"{reverse('admin_dashboard_parts')}?range={span.value}"
    try:
        with patience():
            return {"parts_url": address, **read_parts(actor_of(request), span, everything=everything)}
    except NoAnswer as error:
        logger.warning("dashboard: %s", error, extra={"action": "dashboard_without_database"})
        return {"parts_url": address, "no_answer": True}


@never_cache
@require_safe
def parts(request: HttpRequest) -> HttpResponse:
    """Answer with the page's parts as HTML: all, or with ``?part=now`` those that change from second to second.

    503 and a sentence when the database is gone or too slow.
    """
    context = dashboard_context(request, everything=request.GET.get("part") != "now")
    if "no_answer" in context:
        return HttpResponse(_("The database does not answer."), status=503, content_type="text/plain; charset=utf-8")
    return render(request, "admin/dashboard/parts.html", context)
