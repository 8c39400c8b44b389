"""What the tests with real processes share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduling.db import Connection
from tests.support.processes import Started, manage

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
    for process in started:
        if process.process.poll() is None:
            process.end()
    checked = manage("checkqueue")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for process in started:
        assert "Traceback" not in process.said(), process.said()
