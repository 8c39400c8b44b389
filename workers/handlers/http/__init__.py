"""The ``http`` handler: one request, its redirects, and an answer."""

from workers.handlers.http.handler import HttpHandler

__all__ = ["HttpHandler"]
