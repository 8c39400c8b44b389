"""Settings of the web server that browsers are tested with."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.settings_test import *  # noqa: F403 - a settings module inherits by design
from config.settings_test import MIDDLEWARE as _MIDDLEWARE
from config.settings_test import WORKERS as _WORKERS

MIDDLEWARE = ["tests.browser.served_settings.forget_content_types", *_MIDDLEWARE]
WORKERS = {**_WORKERS, "TASK_MODULES": ["tests.processes.functions"]}


def forget_content_types(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Read content types anew with each request: between two tests the tables are emptied, and the ids change."""

    def middleware(request: HttpRequest) -> HttpResponse:
        from django.contrib.contenttypes.models import ContentType

        ContentType.objects.clear_cache()
        return get_response(request)

    return middleware


# Files are looked for once, and stay in the browser for as long as the tests take.
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 3600
