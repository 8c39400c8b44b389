"""Registers the app of workers and what happened on them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkersConfig(AppConfig):
    """Nodes, executions, logs and the handlers that run tasks."""

    name = "workers"
    verbose_name = _("Workers")

    def ready(self) -> None:
        """Tell which handlers exist and how to find nodes and connections, and register the start-up checks."""
        from scheduling.domain.fleet import fleet
        from workers import checks  # noqa: F401 - importing registers them
        from workers.domain.connection_names import connection_names
        from workers.handlers.registry import register_with_scheduling
        from workers.selectors import live_nodes, names_of_connections

        register_with_scheduling()
        fleet.is_read_by(live_nodes)
        connection_names.are_read_by(names_of_connections)
