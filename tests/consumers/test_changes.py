"""Open pages are told that something happened: soon, not often, and only those who are logged in."""

from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosed

from scheduling.db import Connection
from scheduling.notify import Notifier, announce_on_commit
from scheduling.push.changes import CHANGES, GAP_SECONDS, somebody_looks
from scheduling.push.postgres_layer import PostgresLayer
from tests.consumers.conftest import Read
from tests.factories import make_user
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.processes]


def test_what_commits_here_is_heard_by_a_page_of_another_process(conn: Connection, read: Read) -> None:
    page = read(make_user(), "changes").socket
    wait_until(lambda: somebody_looks(conn), what="the page is known")
    # What may have happened while the page was on its way.
    assert page.recv(timeout=20) == "changed"
    announce_on_commit(control=True)
    assert page.recv(timeout=20) == "changed"


def test_a_thousand_changes_are_few_messages_and_the_last_one_is_heard(conn: Connection, read: Read) -> None:
    page = read(make_user(), "changes").socket
    wait_until(lambda: somebody_looks(conn), what="the page is known")
    assert page.recv(timeout=20) == "changed"
    written: set[int] = set()
    conn.execute("LISTEN channels_postgres_messages")
    notifier = Notifier()

    def happened(times: int) -> int:
        for _ in range(times):
            notifier.changed()
        written.update(hash(each.payload) for each in conn.notifies(timeout=0.01))
        return len(written)

    wait_until(lambda: happened(100) >= 2, what="the pushes of two seconds")
    notifier.close()
    assert len(written) <= 3
    assert GAP_SECONDS >= 1
    assert page.recv(timeout=20) == "changed"


def test_while_no_page_is_open_nothing_is_written(conn: Connection) -> None:
    conn.execute(
        "DELETE FROM channels_postgres_groupchannel WHERE group_key = %s", [PostgresLayer().group_key(CHANGES)]
    )
    conn.execute("LISTEN channels_postgres_messages")
    conn.execute("LISTEN rota_control")
    announce_on_commit(control=True)
    assert [each.channel for each in conn.notifies(timeout=20, stop_after=1)] == ["rota_control"]
    assert [each.channel for each in conn.notifies(timeout=0.1)] == []


def test_who_is_not_logged_in_is_told_so(conn: Connection, read: Read) -> None:
    stranger = read(None, "changes", headers={"Authorization": "Bearer nonsense"}).socket
    with pytest.raises(ConnectionClosed) as closed:
        stranger.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
    assert "log in" in closed.value.rcvd.reason
