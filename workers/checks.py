"""Start-up checks of the workers app."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register

from workers.conf import conf


@register("workers")
def check_lease(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """A lease must outlive three heartbeats, or a busy moment would lose work."""
    if conf().lease_seconds >= 3 * conf().heartbeat_seconds:
        return []
    return [
        Error(
            f"A lease of {conf().lease_seconds:g} s does not outlive three heartbeats of "
            f"{conf().heartbeat_seconds:g} s.",
            hint="Raise WORKERS['LEASE_SECONDS'] or lower WORKERS['HEARTBEAT_SECONDS'].",
            id="workers.E001",
        )
    ]
