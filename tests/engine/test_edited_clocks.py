"""Very many edits at once: they are planned batch by batch, and nothing else waits for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from scheduling.db import CLOCK_CHANNEL, Connection, database_now, own_connection
from scheduling.models import Task, TaskClock, TaskInstance
from scheduling.runtime import read_ahead
from scheduling.runtime.definitions import Definitions
from scheduling.runtime.edited_clocks import PLAN_BATCH, EditedClocks
from scheduling.runtime.loop import SchedulerLoop
from tests.factories import make_task
from tests.support.waiting import wait_until


@pytest.fixture
def loop(conn: Connection) -> Iterator[SchedulerLoop]:
    """A loop that the test turns."""
    made = SchedulerLoop()
    yield made
    made.close()


def make_edited(count: int) -> list[Task]:
    """Make so many tasks that no scheduler has planned yet; none is due soon."""
    first = make_task(trigger="interval", every_seconds=86_400)
    return [first, *Task.objects.bulk_create(_like(first, number) for number in range(1, count))]


def _like(task: Task, number: int) -> Task:
    return Task(
        namespace=task.namespace,
        name=f"{task.name}-{number}",
        handler=task.handler,
        params=task.params,
        trigger="interval",
        every_seconds=86_400,
    )


def dirty() -> int:
    return TaskClock.objects.filter(dirty=True).count()


def test_what_is_known_to_be_due_is_fired_between_the_batches_of_edited_ones(
    conn: Connection, loop: SchedulerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = make_task(trigger="interval", every_seconds=1, overlap="allow")
    loop.turn()
    make_edited(6)
    fired_before: list[int] = []

    class Slow(EditedClocks):
        def plan(self, conn: Connection, *, limit: int = PLAN_BATCH) -> int:
            fired_before.append(TaskInstance.objects.filter(task=known).count())
            due = TaskClock.objects.get(task=known).next_run_at
            assert due is not None
            wait_until(lambda: database_now(conn) > due + timedelta(milliseconds=2), what="the known task is due")
            return super().plan(conn, limit=2)

    monkeypatch.setattr(loop._reader, "edited", Slow(loop._reader._definitions))
    monkeypatch.setattr(read_ahead, "PLANNING_SECONDS", 3600)
    loop.take_note({CLOCK_CHANNEL: {""}})
    loop.turn()
    assert dirty() == 0
    assert fired_before == list(range(fired_before[0], fired_before[0] + len(fired_before)))
    assert len(fired_before) > 3


def test_edited_clocks_that_somebody_holds_keep_no_other_from_firing(conn: Connection, loop: SchedulerLoop) -> None:
    held = [task.pk for task in make_edited(PLAN_BATCH)]
    other = make_task(trigger="interval", every_seconds=1, overlap="allow")
    with closing(own_connection("editor")) as editor, editor.transaction():
        editor.execute("SELECT 1 FROM rota_task_clock WHERE task_id = ANY(%s) FOR UPDATE", [held])

        def fired() -> bool:
            loop.turn()
            return TaskInstance.objects.filter(task=other).exists()

        wait_until(fired, what="the task that nobody holds has fired")
        assert dirty() == PLAN_BATCH
    loop.take_note({CLOCK_CHANNEL: {""}})
    wait_until(lambda: loop.turn() is not None and dirty() == 0, what="those that were held are planned")


def test_what_is_edited_behind_a_round_that_is_under_way_is_planned_by_the_next(
    conn: Connection, loop: SchedulerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "PLANNING_SECONDS", 0)
    edited = make_edited(PLAN_BATCH + 2)
    assert loop.turn() == 0, "more is to be planned"
    assert dirty() == 2
    Task.objects.filter(pk=edited[0].pk).update(every_seconds=43_200)
    assert dirty() == 3
    loop.take_note({CLOCK_CHANNEL: {""}})

    def planned() -> bool:
        loop.turn()
        return dirty() == 0

    wait_until(planned, seconds=5, what="the one behind is planned, without another hint")


def test_a_schedule_that_is_edited_while_a_round_passes_it_is_not_taken_for_planned(conn: Connection) -> None:
    edited = make_edited(3)
    clocks = EditedClocks(Definitions())
    assert [clocks.plan(conn, limit=2), clocks.under_way] == [2, True]
    before: datetime | None = TaskClock.objects.get(task=edited[0]).next_run_at
    Task.objects.filter(pk=edited[0].pk).update(every_seconds=43_200)
    assert [clocks.plan(conn, limit=2), clocks.under_way] == [1, False]
    assert dirty() == 1
    assert clocks.plan(conn, limit=2) == 1
    assert TaskClock.objects.get(task=edited[0]).next_run_at != before
