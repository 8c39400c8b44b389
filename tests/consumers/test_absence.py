"""Sockets that are opened while the database is away."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.consumers.conftest import LONG
from tests.support.web_server import web_server

pytestmark = [pytest.mark.processes]


@pytest.mark.parametrize("path", ["changes", "executions/1/log"])
def test_a_socket_without_a_database_is_told_to_try_again_and_nothing_blows_up(tmp_path: Path, path: str) -> None:
    with ExitStack() as stack:
        # Nobody listens there, and nobody else gets it meanwhile.
        taken = stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        nowhere = f"postgresql://rota@127.0.0.1:{taken.getsockname()[1]}/rota"
        address, process = stack.enter_context(web_server(tmp_path / "server.log", DATABASE_URL=nowhere))
        cookie = {"Cookie": "sessionid=somebody-who-was-here-before"}
        with (
            connect(
                f"{address.replace('http', 'ws', 1)}/ws/{path}", origin=Origin(address), additional_headers=cookie
            ) as page,
            pytest.raises(ConnectionClosed) as closed,
        ):
            page.recv(timeout=LONG)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "the database does not answer")
        assert "Traceback" not in process.said()
