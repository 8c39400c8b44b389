"""Proxies before PostgreSQL: one loses answers, so that whoever sent a statement never learns that it is committed.

Any of them can stand still, as a server that hangs: nothing is refused, and nothing answered.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlencode, urlsplit

import psycopg
from django.db import connection as django_connection

from config.database.url import url_of_default
from scheduling.db import Connection

#: The server is ready for the next command, outside of any transaction: the last one is committed.
_COMMITTED = b"Z\x00\x00\x00\x05I"


class LosingProxy:
    """Passes everything on, but for the answers to statements that were told to be lost; then it cuts the line."""

    def __init__(self, server: tuple[str, int] | str) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._lose: list[bytes] = []
        #: How many answers were lost.
        self.lost = 0
        self._threads: list[threading.Thread] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._start(self._accept)

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        port: int = self._listener.getsockname()[1]
        return port

    def lose_answer_to(self, *texts: bytes) -> None:
        """Lose the answers from the next statement on that contains the last of ``texts``, those before it seen."""
        self._lose = list(texts)

    def freeze(self) -> None:
        """Pass nothing on until `thaw`; lines stay open, and new ones can be opened, and stay silent."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Go on with what has come meanwhile."""
        self._flowing.set()

    def close(self) -> None:
        """Cut every line."""
        self.thaw()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        # Closed only when nobody reads any more: the next socket gets the same number.
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if isinstance(self._server, str):
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(self._server)
                else:
                    server = socket.create_connection(self._server)
                self._sockets += [client, server]
                losing = threading.Event()
                self._start(self._to_server, client, server, losing)
                self._start(self._to_client, client, server, losing)

    def _to_server(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                rest = data
                while self._lose and self._lose[0] in rest:
                    _, rest = rest.split(self._lose.pop(0), 1)
                    if not self._lose:
                        losing.set()
                self._flowing.wait()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _to_client(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            kept = b""
            while data := server.recv(1 << 16):
                self._flowing.wait()
                if not losing.is_set():
                    client.sendall(data)
                    continue
                kept += data
                if _COMMITTED in kept:
                    self.lost += 1
                    break
            for each in (client, server):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def losing_proxy(conn: Connection) -> Iterator[LosingProxy]:
    """A proxy before the server that ``conn`` is connected to."""
    host, port = conn.info.host, conn.info.port
    proxy = LosingProxy(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port))
    try:
        yield proxy
    finally:
        proxy.close()


def url_through(proxy: LosingProxy) -> str:
    """Return the test database's address as one that leads through the proxy."""
    parts = urlsplit(url_of_default())
    return parts._replace(query=urlencode({"host": "127.0.0.1", "port": proxy.port, "sslmode": "disable"})).geturl()


def connection_through(proxy: LosingProxy, purpose: str = "scheduler") -> Connection:
    """Open a connection as loops have it, through the proxy."""
    params = {**django_connection.get_connection_params(), "host": "127.0.0.1", "port": proxy.port}
    wanted = {name: params[name] for name in ("dbname", "user", "password", "host", "port") if params.get(name)}
    through = psycopg.connect(**wanted, sslmode="disable", application_name=f"rota {purpose}", autocommit=True)
    # Each statement travels with its text, by which the proxy knows it.
    through.prepare_threshold = None
    through.execute("SET timezone = 'UTC'")
    return through
