"""Logs over sockets: all of it, in order, once, and only for those who may see it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import psutil
import pytest
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from accounts.roles import Role
from scheduling.db import Connection
from tests.consumers.conftest import LONG, Hand, Read, Reader, running_execution
from tests.factories import make_namespace, make_user
from tests.support.processes import Started
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.processes]


def test_a_reader_gets_what_was_written_before_and_after_and_then_the_end(conn: Connection, read: Read) -> None:
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    hand.write("one\n", "two\n")
    reader = read(make_user(superuser=True), f"executions/{execution.pk}/log")
    reader.step()
    assert reader.text == "one\ntwo\n"
    hand.write("<b>three</b>\n", stream="stderr")
    reader.step()
    hand.write("\x1b[31mfour \ufffd 加油")
    hand.end("failed")
    final = reader.to_the_end()
    assert [(c["seq"], c["stream"], c["text"]) for c in reader.chunks] == [
        (0, "stdout", "one\n"),
        (1, "stdout", "two\n"),
        (2, "stderr", "<b>three</b>\n"),
        (3, "stdout", "\x1b[31mfour \ufffd 加油"),
    ]
    assert (final["state"], final["next_after"]) == ("failed", 3)
    with pytest.raises(ConnectionClosed) as closed:
        reader.socket.recv(timeout=LONG)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "the log is complete")


def test_a_reader_that_is_cut_off_again_and_again_reads_every_byte_once(
    conn: Connection, read: Read, tmp_path: Path
) -> None:
    file = tmp_path / "written.log"
    pieces = [f"{number:06} " + "x" * 60_000 + "\n" for number in range(170)]
    file.write_text("".join(pieces))
    assert file.stat().st_size > 10_000_000
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    user = make_user(superuser=True)
    hand.write(*pieces[:100])
    chunks: list[dict[str, object]] = []
    after, cuts = -1, 0
    while True:
        reader = read(user, f"executions/{execution.pk}/log?after={after}")
        while reader.final is None and (cuts >= 8 or len(reader.chunks) < 10):
            reader.step()
        chunks += reader.chunks
        if reader.final is not None:
            break
        # Without a good-bye, as a lost network would, and with messages on their way.
        reader.socket.socket.shutdown(socket.SHUT_RDWR)
        after = reader.after
        cuts += 1
        if cuts == 3:
            hand.write(*pieces[100:])
        if cuts == 8:
            hand.end()
    assert cuts == 8
    assert [chunk["seq"] for chunk in chunks] == list(range(len(pieces)))
    assert "".join(str(chunk["text"]) for chunk in chunks) == file.read_text()


def closing(reader: Reader) -> tuple[int, str]:
    """How the server ended the conversation."""
    with pytest.raises(ConnectionClosed) as closed:
        reader.socket.recv(timeout=LONG)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_who_may_not_see_the_execution_learns_no_more_than_of_one_that_does_not_exist(
    conn: Connection, read: Read
) -> None:
    execution = running_execution(conn)
    Hand(conn, execution).write("secret\n")
    make_namespace("other")
    stranger = make_user("stranger", other=Role.ADMINISTRATOR)
    hidden = closing(read(stranger, f"executions/{execution.pk}/log"))
    missing = closing(read(stranger, f"executions/{10**15}/log"))
    assert hidden == missing == (4404, "there is no such execution, or you may not see it")
    assert closing(read(stranger, f"executions/{'9' * 40}/log"))[0] == 4404
    assert closing(read(stranger, f"executions/{'9' * 5000}/log"))[0] == 4404
    assert closing(read(stranger, "elsewhere"))[0] == 4404
    assert closing(read(stranger, f"executions/{execution.pk}/log?after=x"))[0] == 4400
    wrong = {"Authorization": "Bearer x.y.z"}
    assert closing(read(None, f"executions/{execution.pk}/log", headers=wrong))[0] == 4401


def test_a_page_of_another_site_gets_no_socket_although_the_browser_sends_the_cookie(
    conn: Connection, server: str
) -> None:
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    hand.write("mine\n")
    hand.end()
    browser = Client()
    browser.force_login(make_user(superuser=True))
    cookie = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}
    address = f"{server.replace('http', 'ws', 1)}/ws/executions/{execution.pk}/log"
    for origin in ("https://evil.example", "null", f"{server}.evil.example", "http://localhost:1"):
        with pytest.raises(InvalidStatus) as refused:
            connect(address, origin=Origin(origin), additional_headers=cookie)
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        connect(address, additional_headers=cookie)
    with connect(address, origin=Origin(server), additional_headers=cookie) as mine:
        assert json.loads(mine.recv(timeout=LONG))["chunks"][0]["text"] == "mine\n"


def test_a_reader_who_is_not_logged_in_is_told_so(conn: Connection, server: str) -> None:
    execution = running_execution(conn)
    with (
        connect(
            f"{server.replace('http', 'ws', 1)}/ws/executions/{execution.pk}/log",
            origin=Origin(server),
        ) as nobody,
        pytest.raises(ConnectionClosed) as closed,
    ):
        nobody.recv(timeout=LONG)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_somebody_whose_account_was_closed_gets_nothing_for_an_old_token(conn: Connection, read: Read) -> None:
    user = make_user("leaver", default=Role.VIEWER)
    execution = running_execution(conn)
    Hand(conn, execution).write("x\n")
    user.is_active = False
    user.save()
    assert closing(read(user, f"executions/{execution.pk}/log"))[0] == 4401


def test_a_reader_that_does_not_read_costs_the_server_a_message_and_not_the_log(
    conn: Connection, read: Read, served: tuple[str, Started]
) -> None:
    ours = psutil.Process(served[1].process.pid)
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    for start in range(0, 800, 100):
        hand.write(*(f"{number:06}" + "x" * 65_000 for number in range(start, start + 100)))
    reader = read(make_user(superuser=True), f"executions/{execution.pk}/log", max_queue=1)
    reader.step()
    before = ours.memory_info().rss
    looks: list[float] = []

    def idle() -> bool:
        """The server has stopped reading rows: twenty looks in a row find that it did not work."""
        looks.append(sum(ours.cpu_times()[:2]))
        return len(looks) > 20 and looks[-1] == looks[-20]

    wait_until(idle)
    # The log is 52 MB long; what is on its way in buffers is a few.
    assert ours.memory_info().rss - before < 25_000_000
    hand.end()
    reader.to_the_end()
    assert [chunk["seq"] for chunk in reader.chunks] == list(range(800))
