"""Patience: a page that many people keep open gives a slow database up soon, and asks again later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import Error, connection, transaction

#: A statement of the page may take so long.
PATIENCE_SECONDS = 4


class NoAnswer(Exception):
    """The database is gone or too slow."""


@contextmanager
def patience(seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Let each statement within take no longer than ``seconds``. Raises NoAnswer when the database fails."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{round(seconds * 1000)}ms"])
            yield
    except (Error, psycopg.Error) as error:
        raise NoAnswer(str(error).strip()) from error
