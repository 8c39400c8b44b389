"""Who calls the API in these tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from accounts.models import User
from accounts.roles import Role
from scheduling.db import own_connection
from scheduling.engine.partitions import create_ahead, forget_known_partitions
from tests.factories import make_user
from tests.web.api.client import Client, client_of


@pytest.fixture
def history(db: None) -> Iterator[None]:
    """Room for what happens today."""
    forget_known_partitions()
    connection = own_connection("test")
    create_ahead(connection, now=datetime.now(UTC), days=1)
    connection.close()
    yield
    forget_known_partitions()


@pytest.fixture
def ada(history: None) -> User:
    """An administrator of the default namespace."""
    return make_user("ada", default=Role.ADMINISTRATOR)


@pytest.fixture
def api(ada: User) -> Client:
    """The API as an administrator of the default namespace uses it."""
    return client_of(ada)
