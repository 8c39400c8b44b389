"""The ``sql`` handler: one statement on a named connection."""

from workers.handlers.sql.handler import SqlHandler

__all__ = ["SqlHandler"]
