"""What the web process may hold up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from config.database.web_session import _limit, limit_web_sessions


@pytest.fixture
def as_in_the_web_process() -> Iterator[None]:
    connection.close()
    limit_web_sessions()
    yield
    connection_created.disconnect(_limit, dispatch_uid="limit_web_sessions")
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_page_that_stands_still_in_a_transaction_is_cut_off_after_a_minute(as_in_the_web_process: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("1min",)
