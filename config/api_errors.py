"""From what went wrong to the API's one error shape.

`detail` is a sentence about the request as a whole; every other key is the name of a field, with a list of
sentences (inside `params`, an object of the same shape).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ImproperlyConfigured, RequestDataTooBig
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.defaults import server_error as server_error_page
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as rest_exception_handler

from accounts.api.bodies import too_large
from config.database.errors import explain
from scheduling.exceptions import UnknownTask

logger = logging.getLogger(__name__)

#: How long a client should wait before it asks again, in seconds.
RETRY_AFTER_SECONDS = 5


class DatabaseGone(APIException):
    """The database cannot answer now."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "database_unavailable"
    wait = RETRY_AFTER_SECONDS


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer for ``error``, or None for a bug, which goes its way to the log."""
    response = rest_exception_handler(_translated(error), context)
    if response is not None:
        response.data = _one_shape(response.data)
    return response


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """Answer an address of the API that does not exist."""
    sentence = _("There is nothing at this address.")
    if not request.path.endswith("/"):
        try:
            if resolve(f"{request.path}/").func is not nothing_here:
                sentence = f"{sentence} {_('Addresses end with a slash: %(path)s/') % {'path': request.path}}"
        except Resolver404:
            pass
    return JsonResponse({"detail": sentence}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request that met a bug: in JSON below /api/, as a page elsewhere."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": _("This failed on the server; its log says why.")}, status=500)
    return server_error_page(request)


def _translated(error: Exception) -> Exception:
    match error:
        case ModelValidationError():
            return ValidationError(_fields_of(error))
        case Http404():
            return NotFound(_("It does not exist, or you may not see it."))
        case RequestDataTooBig():
            # Django measured it, before a parser could.
            return too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        case UnknownTask():
            return NotFound(str(error))
        case OperationalError() | InterfaceError() | ImproperlyConfigured():
            # The sentence for the operator names hosts and files, so it goes to the log and nowhere else.
            logger.error("api: %s", _for_operators(error), extra={"action": "database_unavailable"})
            return DatabaseGone(_("The database cannot be reached, or is too busy; please try again later."))
    return error


def _for_operators(error: Exception) -> str:
    return explain(error, settings.DATABASES["default"]) or str(error).strip()


def _fields_of(error: ModelValidationError) -> dict[str, list[str]]:
    if hasattr(error, "error_dict"):
        return dict(error.message_dict)
    return {NON_FIELD_ERRORS: list(error.messages)}


def _one_shape(data: Any) -> Any:
    """Return ``data`` with what concerns no field as one sentence under `detail`."""
    if isinstance(data, list):
        return {"detail": " ".join(map(str, data))}
    if not isinstance(data, Mapping):
        return data
    general: list[str] = []
    fields: dict[str, Any] = {}
    for name, value in data.items():
        if name in {api_settings.NON_FIELD_ERRORS_KEY, NON_FIELD_ERRORS, "detail"}:
            general += map(str, value) if isinstance(value, list) else [str(value)]
        else:
            fields[name] = value
    return {**({"detail": " ".join(general)} if general else {}), **fields}
