"""Very many edits at once: they are planned batch by batch, and nothing else waits for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest

from scheduling.conf import SchedulingConf
from scheduling.db import CLOCK_CHANNEL, Connection, database_now, own_connection
from scheduling.models import Task, TaskClock, TaskInstance
from scheduling.runtime import read_ahead
from scheduling.runtime.definitions import Definitions
from scheduling.runtime.edited_clocks import _EDITED, _PLAN, PLAN_BATCH, EditedClocks, plan_edited
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
        def plan(self, conn: Connection, *, limit: int = PLAN_BATCH) -> dict[int, datetime | None]:
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


def test_hints_in_a_row_have_everything_read_once_and_what_was_edited_known_at_once(
    conn: Connection, loop: SchedulerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "RESTS", 1e9)
    monkeypatch.setattr(read_ahead, "LONGEST_REST", timedelta(hours=1))
    make_task(trigger="interval", every_seconds=1, overlap="allow")
    loop.turn()
    windows = count_windows(loop, monkeypatch)
    edited = make_task(trigger="interval", every_seconds=86_400, overlap="allow")
    for seconds in (43_200, 21_600, 1):
        Task.objects.filter(pk=edited.pk).update(every_seconds=seconds)
        loop.take_note({CLOCK_CHANNEL: {""}})
        loop.turn()

    def fired_twice() -> bool:
        loop.turn()
        return TaskInstance.objects.filter(task=edited).count() > 1

    wait_until(fired_twice, seconds=10, what="the task that was edited fires by its new schedule")
    assert windows == []


def test_a_pause_of_reading_ends_and_a_resumed_task_is_found(conn: Connection, loop: SchedulerLoop) -> None:
    paused = make_task(trigger="interval", every_seconds=1, overlap="allow", enabled=False)
    loop.turn()
    for enabled in (True, False, True):
        Task.objects.filter(pk=paused.pk).update(enabled=enabled)
        loop.take_note({CLOCK_CHANNEL: {""}})
        loop.turn()
    wait_until(lambda: loop.turn() is not None and TaskInstance.objects.filter(task=paused).exists(), seconds=10)


def test_what_fires_while_others_are_read_goes_on_without_being_read_again(
    conn: Connection, loop: SchedulerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "READ_CHUNK", 2)
    quick = make_task(trigger="interval", every_seconds=1, overlap="allow")
    plan_edited(conn)
    for seconds in (15, 16, 17, 18):
        other = make_task(trigger="interval", every_seconds=86_400)
        at = database_now(conn) + timedelta(seconds=seconds)
        TaskClock.objects.filter(task=other).update(next_run_at=at, dirty=False)
    window = loop._reader.window

    def slow(*args: Any, **over: Any) -> Any:
        answer = window(*args, **over)
        # Its next tick but one lies before the place at which the reading goes on.
        due = TaskClock.objects.get(task=quick).next_run_at
        assert due is not None
        wait_until(lambda: database_now(conn) > due + timedelta(milliseconds=2), what="the quick task is due")
        monkeypatch.setattr(loop._reader, "window", window)
        return answer

    monkeypatch.setattr(read_ahead, "RESTS", 1e9)
    monkeypatch.setattr(read_ahead, "LONGEST_REST", timedelta(hours=1))

    monkeypatch.setattr(loop._reader, "window", slow)
    loop.turn()
    windows = count_windows(loop, monkeypatch)
    seen = TaskInstance.objects.filter(task=quick).count()
    assert seen >= 1, "it was fired between the reads"

    def goes_on() -> bool:
        loop.turn()
        return TaskInstance.objects.filter(task=quick).count() > seen + 2

    wait_until(goes_on, seconds=10, what="the quick task goes on")
    assert windows == []


def count_windows(loop: SchedulerLoop, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Have every reading of what comes next noted from now on."""
    windows: list[datetime] = []
    window = loop._reader.window

    def counted(*args: Any, until: datetime, **over: Any) -> Any:
        windows.append(until)
        return window(*args, until=until, **over)

    monkeypatch.setattr(loop._reader, "window", counted)
    return windows


def test_planning_looks_each_clock_up_also_when_the_statistics_say_that_all_are_edited(conn: Connection) -> None:
    ids = [task.pk for task in make_edited(PLAN_BATCH)]
    conn.execute("ANALYZE rota_task_clock, rota_task")
    arrays = {
        "ids": ids,
        "seen": [database_now(conn)] * len(ids),
        "planned": [None] * len(ids),
        "errors": [""] * len(ids),
    }
    for statement, params in ((_EDITED, {"after": ids[300], "limit": 100}), (_PLAN, arrays)):
        plan = "\n".join(row[0] for row in conn.execute(f"EXPLAIN {statement}", params).fetchall())
        assert "Index Scan" in plan
        assert not re.search(r"Seq Scan on|Merge Join|Hash Join", plan), plan


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
    # Who held them has changed nothing, and gives no hint.
    wait_until(lambda: loop.turn() is not None and dirty() == 0, seconds=5, what="those that were held are planned")


def test_what_is_edited_behind_a_round_that_is_under_way_is_planned_by_the_next(
    conn: Connection, loop: SchedulerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "PLANNING_SECONDS", 0)
    edited = make_edited(PLAN_BATCH + 2)
    assert loop.turn() < 0.001, "more is to be planned"
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
    assert [len(clocks.plan(conn, limit=2)), clocks.under_way] == [2, True]
    before: datetime | None = TaskClock.objects.get(task=edited[0]).next_run_at
    Task.objects.filter(pk=edited[0].pk).update(every_seconds=43_200)
    assert [len(clocks.plan(conn, limit=2)), clocks.under_way] == [1, False]
    assert dirty() == 1
    assert len(clocks.plan(conn, limit=2)) == 1
    assert TaskClock.objects.get(task=edited[0]).next_run_at != before


def test_an_edit_while_the_one_before_is_being_planned_is_not_taken_for_planned(conn: Connection) -> None:
    task = make_task(trigger="interval", every_seconds=86_400)

    class EditedWhenRead(Definitions):
        def learn(self, conn: Connection, rows: Sequence[tuple[int, str]]) -> None:
            super().learn(conn, rows)
            if not self.edited:
                self.edited = True
                Task.objects.filter(pk=task.pk).update(every_seconds=60)

        edited = False

    clocks = EditedClocks(EditedWhenRead())
    assert clocks.plan(conn) == {}
    assert clocks.left_some
    assert list(clocks.plan(conn)) == [task.pk]
    planned = TaskClock.objects.get(task=task).next_run_at
    assert planned is not None
    assert planned < database_now(conn) + timedelta(minutes=2)


def test_when_a_long_round_has_ended_everything_is_read_as_others_may_have_planned_a_part_of_it(
    conn: Connection, loop: SchedulerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "PLANNING_SECONDS", 0)
    loop.turn()
    loop.turn()
    make_edited(2 * PLAN_BATCH + 2)
    windows, read_before = count_windows(loop, monkeypatch), []
    plan = loop._reader.edited.plan

    def noted(*args: Any) -> Any:
        read_before.append(len(windows))
        return plan(*args)

    monkeypatch.setattr(loop._reader.edited, "plan", noted)
    loop.take_note({CLOCK_CHANNEL: {""}})

    def read_after_it() -> bool:
        loop.turn()
        return dirty() == 0 and len(read_before) > 2 and len(windows) > read_before[2]

    wait_until(read_after_it, seconds=5, what="everything is read after the last batch")


def test_clocks_that_are_due_and_held_by_somebody_hide_no_other(conn: Connection) -> None:
    loop = SchedulerLoop(settings=SchedulingConf(READ_BATCH=2))
    held = [make_task(trigger="interval", every_seconds=86_400, overlap="allow") for _ in range(5)]
    plan_edited(conn)
    past = database_now(conn) - timedelta(seconds=1)
    TaskClock.objects.filter(task__in=held).update(next_run_at=past)
    other = make_task(trigger="interval", every_seconds=1, overlap="allow")
    try:
        with closing(own_connection("editor")) as editor, editor.transaction():
            editor.execute(
                "SELECT 1 FROM rota_task_clock WHERE task_id = ANY(%s) FOR UPDATE", [[task.pk for task in held]]
            )
            wait_until(
                lambda: loop.turn() is not None and TaskInstance.objects.filter(task=other).count() > 1,
                seconds=10,
                what="the task that nobody holds fires",
            )
            assert not TaskInstance.objects.filter(task__in=held).exists()
    finally:
        loop.close()
