"""A fixed delay counts from the end of the previous instance, and comes neither twice nor never."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from scheduling.db import Connection, database_now
from scheduling.engine.cancel import cancel
from scheduling.models import QueueEntry, Task, TaskClock, TaskInstance
from scheduling.runtime.loop import SchedulerLoop
from scheduling.services import pause_task, resume_task
from tests.engine.work import claimed_by, report_of
from tests.factories import make_registration, make_task
from tests.support.waiting import wait_until
from workers.domain.states import ExecutionState
from workers.engine.complete import complete

HOUR = timedelta(hours=1)


@pytest.fixture
def loop(conn: Connection) -> Iterator[SchedulerLoop]:
    """A loop that the test turns."""
    made = SchedulerLoop()
    yield made
    made.close()


def clock_of(task: Task) -> TaskClock:
    return TaskClock.objects.get(task=task.pk)


def ticks_of(task: Task) -> list[datetime]:
    found = TaskInstance.objects.filter(task=task, origin="schedule").order_by("scheduled_for")
    return list(found.values_list("scheduled_for", flat=True))


def fired(conn: Connection, loop: SchedulerLoop, **over: object) -> Task:
    """A task whose first instance has just been fired and waits in the queue."""
    task = make_task(trigger="fixed_delay", overlap="allow", **{"every_seconds": 3600, **over})
    loop.turn()
    TaskClock.objects.filter(task=task).update(next_run_at=database_now(conn) - timedelta(seconds=1))
    look_anew(loop)
    assert len(ticks_of(task)) == 1
    return task


def look_anew(loop: SchedulerLoop) -> None:
    """Turn with everything read anew."""
    loop._ahead.forget()
    loop.turn()


def end(conn: Connection, task: Task, state: ExecutionState = ExecutionState.SUCCEEDED) -> datetime:
    """Run the waiting instance of ``task`` to its end, and return when that was."""
    (claimed,) = claimed_by(conn, make_registration(conn))
    complete(conn, [report_of(claimed, state)])
    finished_at = TaskInstance.objects.get(pk=claimed.instance_id).finished_at
    assert finished_at is not None
    return finished_at


def test_the_first_run_comes_a_delay_after_it_was_planned_or_at_the_start_that_was_given(
    conn: Connection, loop: SchedulerLoop
) -> None:
    task = make_task(trigger="fixed_delay", every_seconds=3600)
    start = database_now(conn) + timedelta(days=3)
    later = make_task(trigger="fixed_delay", every_seconds=3600, starts_at=start)
    loop.turn()
    assert clock_of(task).next_run_at == clock_of(task).planned_from + HOUR
    assert clock_of(later).next_run_at == start


@pytest.mark.parametrize("state", [ExecutionState.SUCCEEDED, ExecutionState.FAILED])
def test_the_next_run_counts_from_the_end_however_that_was(
    conn: Connection, loop: SchedulerLoop, state: ExecutionState
) -> None:
    task = fired(conn, loop)
    look_anew(loop)
    assert (clock_of(task).next_run_at, clock_of(task).awaits_end) == (None, True)
    finished_at = end(conn, task, state)
    look_anew(loop)
    assert (clock_of(task).next_run_at, clock_of(task).awaits_end) == (finished_at + HOUR, False)


def test_an_instance_that_never_ran_has_ended_too(conn: Connection, loop: SchedulerLoop) -> None:
    task = fired(conn, loop)
    cancel(conn, [QueueEntry.objects.get(task=task).pk], message="not today")
    look_anew(loop)
    finished_at = TaskInstance.objects.get(task=task).finished_at
    assert finished_at is not None
    assert clock_of(task).next_run_at == finished_at + HOUR


def test_runs_follow_each_other_at_the_delay_without_anybody_announcing_an_end(
    conn: Connection, loop: SchedulerLoop
) -> None:
    task = make_task(trigger="fixed_delay", every_seconds=1, overlap="allow")
    ends: list[datetime] = []

    def three_ended() -> bool:
        loop.turn()
        if QueueEntry.objects.filter(task=task, state=0).exists():
            ends.append(end(conn, task))
        return len(ends) >= 3

    wait_until(three_ended)
    ticks = ticks_of(task)
    assert ticks[1:] == [finished_at + timedelta(seconds=1) for finished_at in ends[: len(ticks) - 1]]


def test_a_scheduler_goes_on_where_another_one_left_off(conn: Connection, loop: SchedulerLoop) -> None:
    task = fired(conn, loop, every_seconds=1)
    finished_at = end(conn, task)
    heir = SchedulerLoop()
    try:
        wait_until(lambda: heir.turn() is not None and len(ticks_of(task)) == 2)
    finally:
        heir.close()
    assert ticks_of(task)[1] == finished_at + timedelta(seconds=1)


def test_a_pause_while_it_runs_neither_loses_the_next_run_nor_doubles_it(conn: Connection, loop: SchedulerLoop) -> None:
    task = fired(conn, loop)
    pause_task(task)
    resume_task(task)
    look_anew(loop)
    assert (clock_of(task).next_run_at, clock_of(task).awaits_end) == (None, True)
    pause_task(task)
    finished_at = end(conn, task)
    look_anew(loop)
    assert clock_of(task).next_run_at is None
    resume_task(task)
    look_anew(loop)
    assert clock_of(task).next_run_at == finished_at + HOUR
    assert len(ticks_of(task)) == 1


def test_an_edit_of_something_else_while_it_runs_changes_nothing(conn: Connection, loop: SchedulerLoop) -> None:
    task = fired(conn, loop)
    Task.objects.filter(pk=task.pk).update(priority=5, params={"command": "echo"})
    look_anew(loop)
    assert (clock_of(task).next_run_at, clock_of(task).awaits_end) == (None, True)


def test_a_new_delay_counts_from_the_same_end(conn: Connection, loop: SchedulerLoop) -> None:
    task = fired(conn, loop)
    Task.objects.filter(pk=task.pk).update(every_seconds=7200)
    look_anew(loop)
    assert clock_of(task).next_run_at is None
    finished_at = end(conn, task)
    look_anew(loop)
    assert clock_of(task).next_run_at == finished_at + 2 * HOUR
    Task.objects.filter(pk=task.pk).update(every_seconds=1800)
    look_anew(loop)
    assert clock_of(task).next_run_at == finished_at + HOUR / 2


def test_a_task_that_becomes_something_else_while_it_runs_waits_for_no_end(
    conn: Connection, loop: SchedulerLoop
) -> None:
    task = fired(conn, loop)
    Task.objects.filter(pk=task.pk).update(trigger="interval")
    look_anew(loop)
    clock = clock_of(task)
    assert (clock.awaits_end, clock.dirty) == (False, False)
    assert clock.next_run_at is not None


def test_however_long_nobody_could_fire_it_one_run_is_missed_and_not_several(
    conn: Connection, loop: SchedulerLoop
) -> None:
    task = make_task(trigger="fixed_delay", every_seconds=60, overlap="allow")
    loop.turn()
    due = database_now(conn) - timedelta(days=3)
    TaskClock.objects.filter(task=task).update(next_run_at=due, planned_from=due - HOUR)
    look_anew(loop)
    (instance,) = TaskInstance.objects.filter(task=task)
    assert (instance.scheduled_for, instance.missed_count, instance.missed_since) == (due, 1, due)


def test_a_fixed_delay_with_an_end_is_finished_after_it(conn: Connection, loop: SchedulerLoop) -> None:
    task = fired(conn, loop, ends_at=database_now(conn) + timedelta(seconds=30))
    end(conn, task)
    look_anew(loop)
    assert (clock_of(task).next_run_at, clock_of(task).awaits_end) == (None, False)


def test_a_delay_that_cannot_be_understood_any_more_says_so_beside_the_clock(
    conn: Connection, loop: SchedulerLoop
) -> None:
    task = fired(conn, loop)
    conn.execute("UPDATE rota_task SET every_seconds = 0 WHERE id = %s", [task.pk])
    end(conn, task)
    look_anew(loop)
    assert "between 0.1 and" in clock_of(task).error
    Task.objects.filter(pk=task.pk).update(every_seconds=60)
    look_anew(loop)
    assert (clock_of(task).error, clock_of(task).awaits_end) == ("", False)
