"""send_pushes: tells those who listen to groups that there is something new."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from channels.layers import get_channel_layer


async def send_pushes(groups: Iterable[str]) -> None:
    """Push to each of ``groups``; a group's name is ASCII letters, digits, hyphens, underscores and dots.

    Raises whatever the layer raises when it is out of reach: psycopg.Error or redis' errors, or OSError.
    """
    layer: Any = get_channel_layer()
    for group in sorted(groups):
        await layer.group_send(group, {"type": "push", "group": group})
