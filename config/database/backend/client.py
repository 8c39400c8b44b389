"""`manage.py dbshell`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.db.backends.postgresql.client import DatabaseClient as PostgreSQLClient


class DatabaseClient(PostgreSQLClient):
    """Opens psql; for the embedded server its own psql, so that none has to be installed."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        """Returns psql's command line and what to add to its environment (None for nothing).

        The embedded server is started for it, for without one there is nothing to connect to.
        """
        home = settings_dict.get("EMBEDDED_HOME")
        if home is None:
            return super().settings_to_cmd_args_env(settings_dict, parameters)
        from config.database.settings import EMBEDDED_DATABASE
        from config.embedded.server import ensure_running

        server = ensure_running(Path(home), EMBEDDED_DATABASE)
        address = {"HOST": str(server.socket_dir), "PORT": server.port, "USER": server.user}
        args, env = super().settings_to_cmd_args_env({**settings_dict, **address}, parameters)
        return [str(server.psql), *args[1:]], env
