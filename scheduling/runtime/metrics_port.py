"""A port on which a scheduler or worker tells its own numbers to Prometheus; opened only when asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

#: Without an address only this machine can ask.
LOCAL = "127.0.0.1"

Read = Callable[[], Iterable[Metric]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def metrics_address(text: str) -> Address:
    """Return `PORT` or `HOST:PORT` as an address, for argparse; without a host it is this machine's own."""
    host, _colon, port = text.rpartition(":")
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise argparse.ArgumentTypeError("must be PORT or HOST:PORT, with a port from 1 to 65535")
    return Address(host.strip("[]") or LOCAL, int(port))


class _Live(Collector):
    """Reads the numbers at each scrape."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return self._read()

    def describe(self) -> Iterable[Metric]:
        # Or registering would read before there is anything to be read.
        return []


def serve_metrics(address: Address, read: Read) -> None:
    """Answer on ``address`` from a thread of its own, until the process ends. Raises OSError when it is taken."""
    registry = CollectorRegistry()
    registry.register(_Live(read))
    start_http_server(address.port, address.host, registry)
