"""Registers the app that decides what should run and when."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SchedulingConfig(AppConfig):
    """Tasks, their triggers and policies, and the instances that they fire."""

    name = "scheduling"
    verbose_name = _("Scheduling")

    def ready(self) -> None:
        """Register the start-up checks."""
        from scheduling import checks  # noqa: F401 - importing registers them
