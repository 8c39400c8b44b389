"""A scheduler lets planned runs and retries go on at their moment, and asks for the next one no more than it must."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from scheduling.db import Connection, database_now, own_connection
from scheduling.domain.states import EntryState
from scheduling.engine import promote as verb
from scheduling.models import QueueEntry
from scheduling.runtime import loop as loop_module
from scheduling.runtime.loop import SchedulerLoop
from tests.engine.work import claimed_by, queue, ready
from tests.factories import make_registration, make_task
from tests.support.waiting import wait_until
from workers.conf import conf
from workers.runtime.maintainers import worker_maintainers

HOUR = timedelta(hours=1)


@pytest.fixture
def loop() -> Iterator[SchedulerLoop]:
    made = SchedulerLoop(maintainers=worker_maintainers())
    yield made
    made.close()


@pytest.fixture
def promotions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries went on, for each time that it was tried."""
    tried: list[int] = []

    def counting(conn: Connection) -> verb.Promoted:
        promoted = verb.promote(conn)
        tried.append(promoted.count)
        return promoted

    monkeypatch.setattr(loop_module, "promote", counting)
    return tried


def plan(conn: Connection, after: timedelta) -> None:
    """Let all that is in the queue wait for a moment."""
    QueueEntry.objects.update(state=EntryState.PLANNED, run_at=database_now(conn) + after)


def test_what_is_due_when_a_scheduler_starts_goes_on(conn: Connection, loop: SchedulerLoop) -> None:
    ready(conn, 3)
    plan(conn, -HOUR)
    loop.turn()
    assert set(QueueEntry.objects.values_list("state", flat=True)) == {EntryState.READY}


def test_nothing_is_tried_while_the_next_moment_is_to_come(
    conn: Connection, loop: SchedulerLoop, promotions: list[int]
) -> None:
    ready(conn)
    plan(conn, HOUR)
    loop.turn()
    loop.turn()
    assert promotions == []
    plan(conn, -HOUR)
    loop.take_note({"rota_clock": {"1"}})
    loop.turn()
    assert promotions == [1]


def test_more_than_a_batch_goes_on_in_one_turn(conn: Connection, loop: SchedulerLoop, promotions: list[int]) -> None:
    queue(conn, make_task(overlap="allow"), 501)
    plan(conn, -HOUR)
    loop.turn()
    assert promotions == [500, 1]


def test_a_retry_that_a_maintainer_has_made_is_looked_for_at_once(
    conn: Connection, loop: SchedulerLoop, promotions: list[int]
) -> None:
    ready(conn, timeout_seconds=1, max_attempts=2, retry_backoff="fixed", retry_delay_seconds=0)
    claimed_by(conn, make_registration(conn))
    wait_until(lambda: loop.turn() > 0.5, what="there is nothing left to do")
    past = database_now(conn) - timedelta(seconds=conf().deadline_slack_seconds + 11)
    QueueEntry.objects.update(deadline_at=past)
    loop._due_at["reaped"] = 0.0
    assert loop.turn() == 0.0
    loop.turn()
    assert promotions == [1]


def test_what_somebody_holds_is_tried_again_after_a_pause(
    conn: Connection, loop: SchedulerLoop, promotions: list[int]
) -> None:
    ready(conn)
    plan(conn, -HOUR)
    held, began = own_connection("holds"), database_now(conn)
    try:
        with held.transaction():
            held.execute("SELECT FROM rota_queue_entry FOR UPDATE")
            loop.turn()
        assert promotions == [0]
        assert loop._next_promotion is not None
        # Not an hour ago, which would be at once.
        assert began < loop._next_promotion <= database_now(conn) + loop_module.CONTENDED
        wait_until(lambda: (loop.turn(), sum(promotions))[1] == 1, what="it goes on once it is free")
    finally:
        held.close()
