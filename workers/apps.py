"""Registers the app of workers and what happened on them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkersConfig(AppConfig):
    """Nodes, executions, logs and the handlers that run tasks."""

    name = "workers"
    verbose_name = _("Workers")

    def ready(self) -> None:
        """Tell scheduling which handlers exist and how to find live nodes, and register the start-up checks."""
        from scheduling.domain.fleet import fleet
        from workers import checks  # noqa: F401 - importing registers them
        from workers.handlers.registry import register_with_scheduling
        from workers.selectors import live_nodes

        register_with_scheduling()
        fleet.is_read_by(live_nodes)
