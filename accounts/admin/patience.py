"""Patience: a page that many people keep open gives a slow database up soon, and asks again later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import Error, OperationalError, connection, transaction

#: A statement of such a page may take so long.
PATIENCE_SECONDS = 4.0


class NoAnswer(OperationalError):
    """The database is gone or too slow."""


@contextmanager
def patience() -> Iterator[None]:
    """Let each statement within take no longer than `PATIENCE_SECONDS`. Raises NoAnswer when the database fails."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            limit = f"{round(PATIENCE_SECONDS * 1000)}ms"
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [limit])
            yield
    except (Error, psycopg.Error) as error:
        raise NoAnswer(str(error).strip()) from error
