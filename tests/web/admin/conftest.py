"""People before the admin, and a day of partitions for the history that they look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from scheduling.db import own_connection
from scheduling.engine.partitions import create_partitions, days_of, forget_known_partitions
from tests.factories import make_namespace, make_user


@pytest.fixture(autouse=True)
def _partitions(db: None) -> None:
    """Yesterday to tomorrow have partitions, as the schedulers would have seen to."""
    forget_known_partitions()
    now = timezone.now()
    conn = own_connection("test")
    try:
        create_partitions(conn, days_of([now + timedelta(days=days) for days in (-2, -1, 0, 1)]))
    finally:
        conn.close()


@pytest.fixture
def login() -> Callable[[User], Client]:
    """Log somebody in."""

    def log_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def root(db: None, login: Callable[[User], Client]) -> Client:
    """A superuser's browser."""
    make_namespace()
    return login(make_user(superuser=True))
