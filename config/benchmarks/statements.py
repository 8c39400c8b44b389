"""The statements that a page sends: those of Django's models, and those that selectors send beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

_OF_A_TRANSACTION = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


@contextmanager
def statements_sent() -> Iterator[list[str]]:
    """Give a list that is filled with each statement that this thread's connection sends within the block.

    Those that only begin or end a transaction are left out. Django's own capture does not see what goes around it,
    through the connection that lies below.
    """
    connection.ensure_connection()
    below: Any = connection.connection
    usual: Any = below.cursor_factory
    sent: list[str] = []

    class Telling(usual):  # type: ignore[misc]  # a class that is known at run time only
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            _note(sent, query)
            return super().execute(query, *args, **kwargs)

        def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            _note(sent, query)
            return super().executemany(query, *args, **kwargs)

    below.cursor_factory = Telling
    try:
        yield sent
    finally:
        below.cursor_factory = usual
    assert connection.connection is below, "the statements of a connection that is new were not seen"  # noqa: S101 - above


def _note(sent: list[str], query: Any) -> None:
    text = query.decode() if isinstance(query, bytes) else str(query)
    if not text.lstrip().upper().startswith(_OF_A_TRANSACTION):
        sent.append(text)
