"""Each request in the language and the time zone of whoever made it, whose roles are read once."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from accounts.models import User
from accounts.permissions import roles_remembered
from accounts.zones import zone_named


class PreferencesMiddleware:
    """Activates the language and the time zone of the user; stands behind the one that knows the user.

    Somebody who chose no language gets the one that Django's LocaleMiddleware found: that of a cookie, or of the
    browser. A client that logs in by a token is known too late for this; it says `Accept-Language`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request in the user's language and zone."""
        user = _user_of(request)
        if user is not None and user.language in dict(settings.LANGUAGES):
            translation.activate(user.language)
            request.LANGUAGE_CODE = user.language
        # Not undone afterwards: a streamed answer is still to be written then. The next request sets its own.
        if zone := zone_named(user.time_zone if user is not None else ""):
            timezone.activate(zone)
        else:
            timezone.deactivate()
        return self.get_response(request)


class RolesMiddleware:
    """Has the roles of the user read once for each request, however many lists and links a page consists of."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        with roles_remembered():
            return self.get_response(request)


def _user_of(request: HttpRequest) -> User | None:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    try:
        return request.user if isinstance(request.user, User) else None
    except Error:
        # The view meets the same database, and says what is wrong in the way that its readers expect.
        return None
