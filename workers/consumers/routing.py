"""The addresses of sockets."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import re_path

from workers.consumers.absence import DatabaseAbsence
from workers.consumers.changes import ChangesConsumer
from workers.consumers.log import NOT_HERE, LogConsumer
from workers.consumers.origin import SameOrigin


class NothingHere(AsyncWebsocketConsumer):
    """Any other address."""

    channel_layer_alias = LogConsumer.channel_layer_alias

    async def connect(self) -> None:
        """Say that there is nothing."""
        await self.accept()
        await self.close(NOT_HERE, "there is no socket at this address")


def websocket_application() -> Any:
    """Return the ASGI application of all websockets: same origin, then the database, the log-in, then the address."""
    routes = [
        re_path(r"^ws/executions/(?P<execution_id>[0-9]+)/log/?$", LogConsumer.as_asgi()),
        re_path(r"^ws/changes/?$", ChangesConsumer.as_asgi()),
        re_path(r"^.*$", NothingHere.as_asgi()),
    ]
    return SameOrigin(DatabaseAbsence(AuthMiddlewareStack(URLRouter(routes))))
