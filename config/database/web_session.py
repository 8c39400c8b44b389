"""How long a session of the web process may hold others up."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from scheduling.db import SET_FOR_SESSION, session_values

#: A transaction in which nothing happens for so long is ended by the server: a page that stands still, because its
#: process does, keeps no rows locked and no old versions of them alive.
IDLE_TRANSACTION_SECONDS = 60


def limit_web_sessions() -> None:
    """Have every connection that Django opens from now on in this process limited."""
    connection_created.connect(_limit, dispatch_uid="limit_web_sessions")


def _limit(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    settings = {"idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS}s"}
    with connection.cursor() as cursor:
        cursor.execute(SET_FOR_SESSION, session_values(connection.connection.info.backend_pid, settings))
