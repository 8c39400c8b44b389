"""A web server, readers of logs, and a worker's hand that writes them."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from channels.layers import channel_layers, get_channel_layer
from rest_framework_simplejwt.tokens import AccessToken
from websockets.sync.client import ClientConnection, connect

from accounts.models import User
from config.channel_layers import channel_layer
from scheduling.db import Connection
from scheduling.engine.partitions import create_partitions, days_of
from scheduling.push.ears import ears
from scheduling.push.pool import close_pool
from tests.factories import make_task
from tests.support.processes import Started
from tests.support.waiting import wait_until
from tests.support.web_server import web_server
from tests.web.admin.history import make_execution, make_instance
from workers.engine.store_log import store_log
from workers.models import Execution
from workers.runtime.log_buffer import Chunk

#: For what must come, in seconds; a failure is the only one to wait so long.
LONG = 40.0


@pytest.fixture(scope="package")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server of its own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no Redis here; on Debian: apt-get install redis-server")
    home = tmp_path_factory.mktemp("redis")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = home / "redis.log"
    log.touch()
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home), "--logfile", str(log)]
    )
    try:
        wait_until(lambda: "Ready to accept connections" in log.read_text(), what="Redis listens")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=["postgres", "redis"])
def layer(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    """The one channel layer, then the other; gives its name."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    settings.CHANNEL_LAYERS = {"default": channel_layer(url)}
    channel_layers.backends.clear()
    yield request.param
    channel_layers.backends.clear()


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``main`` as a web process would, and clean up behind it."""

    async def whole() -> None:
        try:
            await main()
            await heard(lambda: (task := ears()._task) is None or task.done())
        finally:
            await close_pool()
            if hasattr(layer := get_channel_layer(), "close_pools"):
                await layer.close_pools()

    asyncio.run(whole())


async def heard(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds, while the event loop turns."""
    async with asyncio.timeout(LONG):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(scope="package")
def served_through_redis(
    django_db_setup: None, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Started]]:
    """The same of a web server whose channel layer is Redis."""
    with web_server(tmp_path_factory.mktemp("consumers") / "through-redis.log", REDIS_URL=redis_url) as found:
        yield found


@pytest.fixture(scope="package")
def served(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Started]]:
    """A web server's address and its process."""
    with web_server(tmp_path_factory.mktemp("consumers") / "server.log") as found:
        yield found


@pytest.fixture
def server(served: tuple[str, Started]) -> str:
    """The web server's address."""
    return served[0]


class Reader:
    """Reads one log over one socket, as a program would."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.chunks: list[dict[str, Any]] = []
        self.final: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """Everything that was read."""
        return "".join(chunk["text"] for chunk in self.chunks)

    @property
    def after(self) -> int:
        """The last chunk that was read."""
        return self.chunks[-1]["seq"] if self.chunks else -1

    def step(self) -> dict[str, Any]:
        """Read one message, not counting those that only say that somebody is there."""
        message: dict[str, Any] = self.hear()
        while message["type"] == "alive":
            message = self.hear()
        if message["type"] == "chunks":
            self.chunks += message["chunks"]
        else:
            self.final = message
        return message

    def hear(self) -> dict[str, Any]:
        """Read one message of any type."""
        message: dict[str, Any] = json.loads(self.socket.recv(timeout=LONG))
        return message

    def to_the_end(self) -> dict[str, Any]:
        """Read until the log is complete; return the last message."""
        while self.final is None:
            self.step()
        return self.final


Read = Callable[..., Reader]


@pytest.fixture
def read(conn: Connection, server: str) -> Iterator[Read]:
    """Open sockets: ``read(user, "executions/1/log")``; they are closed afterwards."""
    with ExitStack() as stack:

        def open_one(user: User | None, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> Reader:
            token = {} if user is None else {"Authorization": f"Bearer {AccessToken.for_user(user)}"}
            address = f"{server.replace('http', 'ws', 1)}/ws/{path}"
            opened = connect(address, additional_headers=token | (headers or {}), max_size=None, **options)
            return Reader(stack.enter_context(opened))

        yield open_one


def running_execution(conn: Connection, **task: Any) -> Execution:
    """An execution that has not ended."""
    execution = make_execution(make_instance(make_task(**task), state="ready"))
    create_partitions(conn, days_of([execution.scheduled_for]))
    return execution


class Hand:
    """Writes a log as a worker does: chunks in order, then the end."""

    def __init__(self, conn: Connection, execution: Execution) -> None:
        self._conn, self._execution, self._seq = conn, execution, 0

    def write(self, *texts: str, stream: str = "stdout", after: timedelta = timedelta()) -> None:
        """Store chunks, written so long after the start."""
        e = self._execution
        store_log(
            self._conn,
            [
                Chunk(e.pk, e.scheduled_for, e.namespace_id, self._seq + n, stream, e.started_at + after, text)
                for n, text in enumerate(texts)
            ],
        )
        self._seq += len(texts)

    def end(self, state: str = "succeeded") -> None:
        """End the execution."""
        self._conn.execute(
            "UPDATE rota_execution SET state = %s, finished_at = clock_timestamp() "
            "WHERE id = %s AND scheduled_for = %s",
            [state, self._execution.pk, self._execution.scheduled_for],
        )
