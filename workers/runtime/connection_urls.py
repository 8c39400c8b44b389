"""Where a handler gets the URL of a named connection: the namespace's connections, secrets filled in."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.conf import settings

from workers.models import Connection

_REFERENCE = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


def connection_urls(namespace_id: int) -> Callable[[str], str]:
    """Return a look-up from a connection's name to its URL, within one namespace.

    The look-up raises LookupError for a name that does not exist, and for a reference to a secret that this
    worker's environment does not hold.
    """

    def look_up(name: str) -> str:
        url = Connection.objects.filter(namespace_id=namespace_id, name=name).values_list("url", flat=True).first()
        if url is None:
            raise LookupError(name)
        return _REFERENCE.sub(_secret, url)

    return look_up


def _secret(match: re.Match[str]) -> str:
    secrets: dict[str, str] = settings.WORKERS.get("SECRETS", {})
    return secrets[match[1]]
