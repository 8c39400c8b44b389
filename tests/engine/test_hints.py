"""Hints: what is announced in quick succession arrives in few notifications, and none of it is forgotten."""

from __future__ import annotations

from threading import Event

import pytest

from scheduling import notify
from scheduling.db import QUEUE_CHANNEL, Connection
from scheduling.notify import GAP_SECONDS, Notifier
from tests.support.waiting import wait_until


def test_a_thousand_announcements_are_few_notifications_and_the_last_one_is_among_them(conn: Connection) -> None:
    conn.execute(f"LISTEN {QUEUE_CHANNEL}")
    notifier = Notifier()
    heard: list[str] = []

    def last_has_come() -> bool:
        heard.extend(message.payload for message in conn.notifies(timeout=0.05))
        return any("queue-999" in payload.split("\n") for payload in heard) or "" in heard

    for number in range(1000):
        notifier.queues([f"queue-{number}"])
    wait_until(last_has_come, what="the trailing edge")
    notifier.close()
    assert len(heard) < 20, "more would hold every commit up"
    assert GAP_SECONDS >= 1 / 20


def test_a_second_announcement_within_the_pause_is_heard_without_a_third(conn: Connection) -> None:
    conn.execute(f"LISTEN {QUEUE_CHANNEL}")
    notifier = Notifier()
    heard: list[str] = []

    def has_come(name: str) -> bool:
        heard.extend(message.payload for message in conn.notifies(timeout=0.02))
        return name in heard

    notifier.queues(["first"])
    wait_until(lambda: has_come("first"), what="the leading edge")
    notifier.queues(["second"])
    wait_until(lambda: has_come("second"), what="the trailing edge")
    notifier.close()


def work_is_announced_after_the_pages_turn(conn: Connection, asked: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether open pages are there is asked for first, which sets ``asked``; then work is announced, and heard."""
    conn.execute(f"LISTEN {QUEUE_CHANNEL}")
    notifier = Notifier()
    try:
        notifier.changed()
        assert asked.wait(30), "the pages' turn"
        notifier.queues(["work"])
        wait_until(lambda: [message.payload for message in conn.notifies(timeout=0.02)] == ["work"])
    finally:
        monkeypatch.undo()
        notifier.close()


def test_an_announcement_that_fails_for_whatever_reason_is_not_the_last_one(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Event()

    def fail(conn: Connection) -> bool:
        asked.set()
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(notify, "somebody_looks", fail)
    work_is_announced_after_the_pages_turn(conn, asked, monkeypatch)


def test_telling_open_pages_holds_up_no_announcement(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "GAP_SECONDS", 3600.0)
    asked = Event()
    monkeypatch.setattr(notify, "somebody_looks", lambda conn: asked.set())
    work_is_announced_after_the_pages_turn(conn, asked, monkeypatch)
