"""A database that stands still: it refuses nothing and answers nothing, as a server does whose machine hangs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rest_framework_simplejwt.tokens import AccessToken
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from scheduling.db import Connection
from tests.consumers.conftest import Hand, Reader, running_execution
from tests.factories import make_user
from tests.support.proxy import LosingProxy, losing_proxy, url_through
from tests.support.web_server import web_server

pytestmark = [pytest.mark.processes]


@pytest.fixture
def proxy(conn: Connection) -> Iterator[LosingProxy]:
    """What lies between the web server and its database."""
    with losing_proxy(conn) as found:
        yield found


@pytest.fixture
def server(proxy: LosingProxy, tmp_path: Path) -> Iterator[str]:
    """The address of a web server behind it."""
    with web_server(tmp_path / "server.log", DATABASE_URL=url_through(proxy)) as (address, process):
        yield address
        assert "Traceback" not in process.said()


def test_a_reader_of_a_log_is_told_that_the_database_stands_still_and_goes_on_afterwards_without_a_gap(
    conn: Connection, proxy: LosingProxy, server: str
) -> None:
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    hand.write("one\n")
    token = AccessToken.for_user(make_user(superuser=True))

    def follow(after: int) -> ClientConnection:
        return connect(
            f"{server.replace('http', 'ws', 1)}/ws/executions/{execution.pk}/log?after={after}",
            additional_headers={"Authorization": f"Bearer {token}"},
        )

    with follow(-1) as socket:
        reader = Reader(socket)
        reader.step()
        assert reader.hear() == {"type": "alive"}, "somebody looks, and there is nothing new"
        proxy.freeze()
        with pytest.raises(ConnectionClosed) as closed:
            reader.step()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "the database does not answer")
    hand.write("two\n")
    proxy.thaw()
    with follow(reader.after) as socket:
        again = Reader(socket)
        again.step()
    assert again.text == "two\n"
