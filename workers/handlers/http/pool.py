"""Pooled connections that go only to checked addresses and can be cut from another thread.

One adapter, and so one pool, serves all executions of a process; cookies and credentials live in a session
that each execution makes for itself, so that tasks do not share them.
"""

import contextlib
import os
import socket
import threading
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from workers.handlers.http.egress import resolve

#: How many hosts have a pool, and how many idle connections each keeps.
POOLED_HOSTS = 64
IDLE_CONNECTIONS = 16


class ConnectionCut:
    """Remembers the sockets that one execution uses, so that all of them can be cut at once."""

    def __init__(self) -> None:
        """Start with no sockets, not cut."""
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def watch(self, sock: socket.socket) -> None:
        """Cut this socket too when the time comes; at once if it has come."""
        # A duplicate, because TLS takes the descriptor away from the plain socket, and because a closed
        # descriptor's number may belong to somebody else by the time of the cut.
        duplicate = socket.socket(sock.family, sock.type, sock.proto, fileno=os.dup(sock.fileno()))
        with self._lock:
            self._sockets.append(duplicate)
            if self._is_cut:
                _shut(duplicate)

    def cut(self) -> None:
        """End every connection; a thread that is blocked in one wakes up with an error."""
        with self._lock:
            self._is_cut = True
            for sock in self._sockets:
                _shut(sock)

    def close(self) -> None:
        """Forget the sockets. The connections themselves stay as they are."""
        with self._lock:
            for sock in self._sockets:
                sock.close()
            self._sockets.clear()


#: The cut of the execution that runs in this thread; connections join it when they are opened or reused.
current_cut: ContextVar[ConnectionCut | None] = ContextVar("current_cut", default=None)


def new_session() -> requests.Session:
    """Return a session with cookies of its own on the connections that all share. Never close it.

    Proxies are taken from the environment, as requests does by default; behind a proxy it is the proxy that
    resolves names, and its rules hold besides ours.
    """
    session = requests.Session()
    session.adapters.clear()
    session.mount("http://", _adapter())
    session.mount("https://", _adapter())
    return session


@lru_cache(maxsize=1)
def _adapter() -> HTTPAdapter:
    return _PolicyAdapter(pool_connections=POOLED_HOSTS, pool_maxsize=IDLE_CONNECTIONS)


class _PolicyAdapter(HTTPAdapter):
    """requests' adapter on our connection classes."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        _use_checked_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if type(manager) is ProxyManager:  # SOCKS has connection classes of its own
            _use_checked_connections(manager)
        return manager


class _CheckedConnection(HTTPConnection):
    """Resolves and checks by itself, and connects to the address that was checked."""

    def _new_conn(self) -> socket.socket:
        try:
            addresses = resolve(self._dns_host, self.port or self.default_port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        problem: OSError | None = None
        for address in addresses:
            try:
                sock = create_connection(
                    (address, self.port or self.default_port),
                    self.timeout,
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except TimeoutError as error:
                raise ConnectTimeoutError(self, f"{self.host} did not answer") from error
            except OSError as error:
                problem = error
            else:
                _watch(sock)
                return sock
        raise NewConnectionError(self, f"{problem}") from problem

    def request(self, *args: Any, **kwargs: Any) -> None:
        # A connection from the pool has its socket already; a new one announces it when it connects.
        if self.sock is not None:
            _watch(self.sock)
        super().request(*args, **kwargs)


class _CheckedTlsConnection(_CheckedConnection, HTTPSConnection):
    """The same, inside TLS. The name, not the address, is what the certificate is checked against."""


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _CheckedConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedTlsConnection

    def _validate_conn(self, conn: Any) -> None:
        # As in the base class, but without its warning for an unverified connection: the task asked for that,
        # and whoever reads the worker's own output cannot change it.
        HTTPConnectionPool._validate_conn(self, conn)
        if conn.is_closed:
            conn.connect()


def _use_checked_connections(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


def _watch(sock: socket.socket) -> None:
    cut = current_cut.get()
    if cut is not None:
        cut.watch(sock)


def _shut(sock: socket.socket) -> None:
    # shutdown() wakes a thread that is blocked in recv(); close() would not.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
