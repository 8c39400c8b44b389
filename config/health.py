"""What a load balancer and an orchestrator ask: does the process live, and can it work?

Both answer without a log-in, and neither tells anything about the installation.
"""

from __future__ import annotations

import logging
from functools import cache

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

Migration = tuple[str, str]


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


def missing_migrations() -> list[str]:
    """Return the apps whose newest migration has not been applied; one query."""
    with connection.cursor() as cursor:
        # Asked by name, since the table itself is missing from a database that was never migrated.
        cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return sorted(app for app, _name in _newest())
        cursor.execute("SELECT app, name FROM django_migrations")
        applied: set[Migration] = set(cursor.fetchall())
    return sorted(
        newest[0]
        for newest, replaced in _newest().items()
        if newest not in applied and not (replaced and replaced <= applied)
    )


@cache
def _newest() -> dict[Migration, frozenset[Migration]]:
    """Return the newest migrations of each app, with those that a squashed one stands for.

    They are read from files once in a process's life: code does not change under a running server.
    """
    loader = MigrationLoader(None)
    return {
        leaf: frozenset(loader.replacements[leaf].replaces) if leaf in loader.replacements else frozenset()
        for leaf in loader.graph.leaf_nodes()
    }


def _not_ready(sentence: str) -> HttpResponse:
    return JsonResponse({"status": "unavailable", "detail": sentence}, status=503)
