"""What the tests with real processes share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduling.db import Connection, own_connection
from tests.support.processes import Started
from workers.engine.check import check

Start = Callable[..., Started]


@pytest.fixture
def start(conn: Connection, tmp_path: Path) -> Iterator[Start]:
    """Starts commands; afterwards they are ended, and the queue must be in order."""
    started: list[Started] = []

    def begin(*args: str, **over: str) -> Started:
        process = Started(tmp_path / f"{len(started)}-{args[0]}.log", *args, **over)
        started.append(process)
        return process

    yield begin
    # Asked all at once: one that hands its work over need not wait for the next.
    for process in started:
        if process.process.poll() is None:
            process.process.terminate()
    for process in started:
        process.wait()
    looking = own_connection("test")
    assert not check(looking, since=None)
    looking.close()
    for process in started:
        assert "Traceback" not in process.said(), process.said()
