"""SameOrigin: refuses sockets that another site's page opens in the name of whoever looks at it.

A browser sends the cookies of this site with every websocket, whichever page asks for it, and no rule of CORS applies
(RFC 6455, section 10.2). It also says which page asked, and that cannot be forged by the page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from workers.consumers.headers import header

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class SameOrigin:
    """ASGI middleware for websockets: what is refused gets HTTP's 403 instead of a handshake.

    Allowed are the origin whose host the request itself names, if that is one of ALLOWED_HOSTS, and those of
    CSRF_TRUSTED_ORIGINS, as for forms. A program that is no browser sends no origin, and must show a token.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the socket on, or refuse it."""
        if _allowed(scope):
            await self._application(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close"})


def _allowed(scope: Scope) -> bool:
    host = header(scope, b"host")
    domain, _port = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    origin = header(scope, b"origin")
    if not origin:
        return bool(header(scope, b"authorization"))
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
