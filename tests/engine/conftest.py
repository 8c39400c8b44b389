"""What the engine's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from scheduling.db import Connection, database_now
from scheduling.engine.partitions import create_partitions
from tests.engine.ledger_world import DAYS, MakeWorld, World


@pytest.fixture
def make_world(conn: Connection) -> Iterator[MakeWorld]:
    """Worlds in which the past has room."""
    today = database_now(conn).date()
    create_partitions(conn, [today + timedelta(days=offset) for offset in range(-DAYS - 1, 2)])
    worlds: list[World] = []

    def make(**over: Any) -> World:
        # One at a time: each holds connections of its own.
        for world in worlds:
            world.loop.close()
        worlds[:] = [World(conn, **over)]
        return worlds[-1]

    yield make
    for world in worlds:
        world.loop.close()
