"""Fixtures of the handlers' tests."""

from collections.abc import Iterator

import pytest

from tests.handlers.http_server import Server, serving
from tests.handlers.support import MemoryLog


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def tls_server() -> Iterator[Server]:
    with serving(tls=True) as server:
        yield server
