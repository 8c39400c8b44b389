"""Absence of the database, as people meet it: a page that says so and comes back by itself."""

from __future__ import annotations

import logging

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin

from config.database.errors import explain

logger = logging.getLogger(__name__)

#: After so many seconds the page is loaded again.
AGAIN_SECONDS = 5

#: The pages of people. The API and the probes have answers of their own.
PAGES = "/admin/"


class DatabaseAbsence(MiddlewareMixin):
    """Answers 503 where a page could not be made because the database is gone or too busy."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the page for such an error; any other goes its way."""
        if not request.path.startswith(PAGES) or not _is_about_the_database(error):
            return None
        from django.conf import settings

        # What goes to the log names hosts and files, the page does not.
        said = explain(error, settings.DATABASES["default"]) or str(error).strip()
        logger.error("page: %s", said, extra={"action": "database_unavailable"})
        # Whoever posted a form shall not post it again unasked.
        again = AGAIN_SECONDS if request.method == "GET" else None
        # Without the request: what is added to pages for a user would ask the database.
        response = HttpResponse(render_to_string("database_absent.html", {"again": again}), status=503)
        response["Retry-After"] = str(AGAIN_SECONDS)
        add_never_cache_headers(response)
        return response


def _is_about_the_database(error: Exception) -> bool:
    if isinstance(error, ImproperlyConfigured):
        # The embedded server could not be started.
        return "PostgreSQL" in str(error)
    return isinstance(error, (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError))
