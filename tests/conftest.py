"""What every test can count on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings as hypothesis_settings

from accounts.models import Namespace
from scheduling.db import Connection, own_connection
from scheduling.engine.partitions import forget_known_partitions
from scheduling.notify import close_process_notifier
from tests.factories import make_namespace

pytest_plugins = ["scheduling.testing"]

# The same examples in every run, so that a red run can be repeated; no deadline, since machines are shared.
hypothesis_settings.register_profile("rota", derandomize=True, deadline=None)
hypothesis_settings.load_profile("rota")


@pytest.fixture(autouse=True)
def _no_connection_is_left() -> Iterator[None]:
    """Services announce on a connection of their own; give it back before the database is cleaned."""
    yield
    close_process_notifier()


@pytest.fixture
def namespace(db: None) -> Namespace:
    """The default namespace."""
    return make_namespace()


@pytest.fixture
def conn(transactional_db: None) -> Iterator[Connection]:
    """A connection of its own, as loops have it; the test's rows must be committed to be seen by it."""
    make_namespace()
    forget_known_partitions()
    connection = own_connection("test")
    yield connection
    connection.close()
