"""A real HTTP server whose paths behave in the ways that tests need."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

CERTIFICATE = Path(__file__).with_name("localhost.pem")


class Server:
    """The server's address, and what it was asked."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str) -> None:
        self._server = server
        self._scheme = scheme
        self.requests: list[dict[str, Any]] = []
        #: One entry for each connection that was opened.
        self.connections: list[tuple[str, int]] = []
        #: Set when a path that answers slowly has begun to; such paths end when ``release`` is set.
        self.begun = threading.Event()
        self.release = threading.Event()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self.port}{path}"


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    rota: Server

    def setup(self) -> None:
        super().setup()
        self.rota.connections.append(self.client_address)

    def log_message(self, *args: Any) -> None:
        """Stay silent."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.rota.requests.append(
            {
                "method": self.command,
                "path": parts.path,
                "query": parse_qs(parts.query),
                "headers": dict(self.headers),
                "body": body,
            }
        )
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            getattr(self, f"_{parts.path.strip('/').replace('-', '_')}")(query)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_HEAD = _answer  # noqa: N815 - http.server's names

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _status(self, query: dict[str, str]) -> None:
        self._send(int(query["code"]), b"as you wish")

    def _json(self, query: dict[str, str]) -> None:
        self._send(200, query["text"].encode(), Content_Type="application/json")

    def _bytes(self, query: dict[str, str]) -> None:
        self._send(200, bytes([int(query["value"])]) * int(query["count"]), Content_Type="text/plain")

    def _cookie(self, query: dict[str, str]) -> None:
        self._send(200, b"", Set_Cookie="session=secret; Path=/")

    def _busy(self, query: dict[str, str]) -> None:
        # With a clock of its own, as a server may have.
        self.send_response_only(int(query["code"]))
        self.send_header("Date", "Sun, 29 Mar 2026 02:30:00 GMT")
        self.send_header("Retry-After", self.headers["X-Retry-After"])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _redirect(self, query: dict[str, str]) -> None:
        self._send(int(query.get("code", "302")), b"", Location=query["to"])

    def _loop(self, query: dict[str, str]) -> None:
        self._send(302, b"", Location="/loop")

    def _echo(self, query: dict[str, str]) -> None:
        self._send(200, json.dumps(dict(self.headers)).encode(), Content_Type="application/json")

    def _silence(self, query: dict[str, str]) -> None:
        self.rota.begun.set()
        self.rota.release.wait()
        self.close_connection = True

    def _dripping_headers(self, query: dict[str, str]) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        number = 0
        while not self.rota.release.wait(0.02):
            # Fewer than the hundred headers after which http.client gives up by itself.
            self.wfile.write(b"X-" if number == 0 else b"a")
            self.rota.begun.set()
            number += 1

    def _dripping_body(self, query: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while not self.rota.release.wait(0.02):
            self.wfile.write(b".")
            self.rota.begun.set()

    def _broken(self, query: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True


@contextmanager
def serving(*, tls: bool = False) -> Iterator[Server]:
    """Serve on a free port of this machine while the block runs."""
    requests: Any = type("Requests", (_Requests,), {})
    http = ThreadingHTTPServer(("127.0.0.1", 0), requests)
    http.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        http.socket = context.wrap_socket(http.socket, server_side=True)
    server = Server(http, "https" if tls else "http")
    requests.rota = server
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        http.shutdown()
        thread.join()
        http.server_close()
