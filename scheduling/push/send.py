"""Tells those who listen to groups that there is something new."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

#: How long a push may take, in seconds; what takes longer is lost, and pages look by themselves.
PUSH_SECONDS = 5.0


async def send_pushes(groups: Iterable[str]) -> None:
    """Push to each of ``groups``; a group's name is ASCII letters, digits, hyphens, underscores and dots.

    Raises whatever the layer raises when it is out of reach: psycopg.Error or redis' errors, or OSError.
    """
    layer: Any = get_channel_layer()
    for group in sorted(groups):
        await layer.group_send(group, {"type": "push", "group": group})


def push_or_warn(runner: asyncio.Runner, groups: Iterable[str], who: str) -> None:
    """Push to each of ``groups`` within `PUSH_SECONDS`; a push that is lost is a warning with ``who`` in front."""
    try:
        runner.run(asyncio.wait_for(send_pushes(groups), PUSH_SECONDS))
    except Exception as error:  # noqa: BLE001 - whatever a layer raises, pages look by themselves
        said = str(error).strip() or type(error).__name__
        logger.warning("%s: %s", who, said, extra={"action": "push"})
