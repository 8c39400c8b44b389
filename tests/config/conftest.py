"""Fixtures of the tests of config/."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.config.support import ServerUser


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A place for an embedded server that nobody has used yet."""
    return tmp_path / "rota"


@pytest.fixture
def use_server(home: Path) -> Iterator[Callable[..., ServerUser]]:
    """Starts processes that use the server in `home`; those still there at the end are told to leave."""
    users: list[ServerUser] = []

    def start(place: Path = home) -> ServerUser:
        users.append(ServerUser(place))
        return users[-1]

    yield start
    for user in users:
        user.await_end()
