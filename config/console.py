"""The console as an app: Django's admin, whose pages are imported when the first address is looked up.

A scheduler or a worker shows no pages: without them it starts in half the time and needs a quarter less memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig
from django.core import checks


class ConsoleConfig(SimpleAdminConfig):
    """Django's admin without discovery at the start; config.urls discovers."""

    def ready(self) -> None:
        """Register the admin's checks, which look at all pages."""
        checks.register(check_console, checks.Tags.admin)


def check_console(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Have Django's own checks look at the admin with every page in it."""
    from django.contrib import admin
    from django.contrib.admin.checks import check_admin_app, check_dependencies

    admin.autodiscover()
    return [*check_dependencies(app_configs=app_configs, **kwargs), *check_admin_app(app_configs, **kwargs)]
