"""Open pages are told that something happened: soon, not often, and only those who are logged in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer
from websockets.exceptions import ConnectionClosed

from scheduling.db import Connection
from scheduling.notify import Notifier, announce_on_commit
from scheduling.push.changes import CHANGES, GAP_SECONDS, somebody_looks
from scheduling.push.postgres_layer import PostgresLayer
from tests.consumers.conftest import LONG, Read, heard, run
from tests.factories import make_user
from tests.support.processes import Started

pytestmark = [pytest.mark.processes]


@pytest.fixture
def server(layer: str, request: pytest.FixtureRequest) -> str:
    """A web server on the layer that this process uses, too."""
    found: tuple[str, Started] = request.getfixturevalue("served_through_redis" if layer == "redis" else "served")
    return found[0]


def test_what_commits_here_is_heard_by_a_page_of_another_process(conn: Connection, read: Read) -> None:
    page = read(make_user(), "changes").socket
    # What may have happened while the page was on its way; from here on it is known.
    assert page.recv(timeout=LONG) == "changed"
    assert somebody_looks(conn)
    announce_on_commit(control=True)
    assert page.recv(timeout=LONG) == "changed"


def test_a_thousand_changes_are_few_messages_and_the_last_one_is_heard(conn: Connection, read: Read) -> None:
    page = read(make_user(), "changes").socket
    assert page.recv(timeout=LONG) == "changed"
    notifier = Notifier()
    pushed = 0

    async def main() -> None:
        nonlocal pushed
        channel_layer: Any = get_channel_layer()
        channel = await channel_layer.new_channel()
        await channel_layer.group_add(CHANGES, channel)

        async def count() -> None:
            nonlocal pushed
            while True:
                await channel_layer.receive(channel)
                pushed += 1

        counting = asyncio.create_task(count())

        def happened() -> bool:
            for _ in range(100):
                notifier.changed()
            return pushed >= 2

        try:
            await heard(happened)
            await asyncio.to_thread(notifier.close)
        finally:
            counting.cancel()
            await asyncio.wait([counting])
            await channel_layer.group_discard(CHANGES, channel)
            if hasattr(channel_layer, "forget"):
                await channel_layer.forget(channel)

    run(main)
    assert pushed <= 3
    assert GAP_SECONDS >= 1
    assert page.recv(timeout=LONG) == "changed"


def test_while_no_page_is_open_nothing_is_written(conn: Connection) -> None:
    conn.execute(
        "DELETE FROM channels_postgres_groupchannel WHERE group_key = %s", [PostgresLayer().group_key(CHANGES)]
    )
    conn.execute("LISTEN channels_postgres_messages")
    conn.execute("LISTEN rota_control")
    announce_on_commit(control=True)
    assert [each.channel for each in conn.notifies(timeout=20, stop_after=1)] == ["rota_control"]
    assert [each.channel for each in conn.notifies(timeout=0.1)] == []


def test_who_is_not_logged_in_is_told_so(conn: Connection, read: Read) -> None:
    stranger = read(None, "changes", headers={"Authorization": "Bearer nonsense"}).socket
    with pytest.raises(ConnectionClosed) as closed:
        stranger.recv(timeout=LONG)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
    assert "log in" in closed.value.rcvd.reason
