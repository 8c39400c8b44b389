"""A real web server, a process of its own, on the test's database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import Started
from tests.support.waiting import wait_until


@contextmanager
def web_server(output: Path, **over: str) -> Iterator[tuple[str, Started]]:
    """Serve while the block runs; gives the address (http://…) and the process."""
    process = Started(
        output,
        program=["-m", "uvicorn", "config.asgi:application", "--port", "0"],
        # The settings of the tests, since their passwords are hashed by the quick method.
        **{"DJANGO_SETTINGS_MODULE": "config.settings_test", **over},
    )

    def address() -> str:
        assert process.process.poll() is None, process.said()
        found = re.search(r"running on (http://\S+)", process.said())
        return found[1] if found else ""

    try:
        yield wait_until(address, what="the server listens"), process
    finally:
        process.end()
