"""However a task is edited, its version, its revisions and its clock follow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduling.db import Connection, database_now
from scheduling.engine.fire import fire
from scheduling.models import Task, TaskClock, TaskRevision
from scheduling.runtime.clock_reader import ClockReader
from scheduling.runtime.edited_clocks import plan_edited
from tests.factories import make_task
from tests.support.waiting import wait_until


def clock_of(task: Task) -> TaskClock:
    return TaskClock.objects.get(task=task.pk)


def test_a_new_task_gets_a_clock_that_a_scheduler_plans(conn: Connection) -> None:
    task = make_task(trigger="interval", every_seconds=60)
    assert clock_of(task).dirty
    before = database_now(conn)
    assert plan_edited(conn) == 1
    clock = clock_of(task)
    assert not clock.dirty
    assert clock.next_run_at is not None
    assert clock.next_run_at > before
    assert plan_edited(conn) == 0


@pytest.mark.parametrize("way", ["update", "save", "sql"])
def test_an_edit_raises_the_version_and_keeps_what_it_said_before(conn: Connection, way: str) -> None:
    task = make_task(params={"command": "echo one"})
    if way == "update":
        Task.objects.filter(pk=task.pk).update(params={"command": "echo two"})
    elif way == "save":
        task.params = {"command": "echo two"}
        task.save()
    else:
        conn.execute("""UPDATE rota_task SET params = '{"command": "echo two"}' WHERE id = %s""", [task.pk])
    task.refresh_from_db()
    revisions = TaskRevision.objects.filter(task_id=task.pk).order_by("version")
    assert task.version == 2
    assert [r.definition["params"]["command"] for r in revisions] == ["echo one", "echo two"]


def test_saving_a_stale_copy_does_not_turn_the_version_back(conn: Connection) -> None:
    task = make_task()
    stale = Task.objects.get(pk=task.pk)
    Task.objects.filter(pk=task.pk).update(priority=5)
    stale.description = "edited elsewhere meanwhile"
    stale.save()
    task.refresh_from_db()
    assert task.version == 3


def test_an_edit_that_does_not_concern_the_schedule_leaves_the_clock_alone(conn: Connection) -> None:
    task = make_task(trigger="interval", every_seconds=60)
    plan_edited(conn)
    before = clock_of(task)
    Task.objects.filter(pk=task.pk).update(params={"command": "echo new"}, priority=3)
    after = clock_of(task)
    assert (after.next_run_at, after.planned_from, after.dirty) == (before.next_run_at, before.planned_from, False)


def test_a_tick_that_was_due_before_an_edit_of_the_schedule_stays(conn: Connection) -> None:
    task = make_task(trigger="interval", every_seconds=60)
    due = database_now(conn) - timedelta(seconds=1)
    TaskClock.objects.filter(task=task).update(next_run_at=due, dirty=False)
    Task.objects.filter(pk=task.pk).update(every_seconds=3600)
    plan_edited(conn)
    assert clock_of(task).next_run_at == due


def test_a_later_tick_is_planned_by_the_new_schedule(conn: Connection) -> None:
    task = make_task(trigger="interval", every_seconds=86400)
    plan_edited(conn)
    Task.objects.filter(pk=task.pk).update(every_seconds=1)
    plan_edited(conn)
    clock = clock_of(task)
    assert clock.next_run_at is not None
    assert clock.next_run_at <= database_now(conn) + timedelta(seconds=1)


def test_a_paused_task_has_no_next_run_and_goes_on_from_the_tick_it_was_paused_at(conn: Connection) -> None:
    task = make_task(trigger="interval", every_seconds=60)
    plan_edited(conn)
    planned = clock_of(task).next_run_at
    Task.objects.filter(pk=task.pk).update(enabled=False)
    assert (clock_of(task).next_run_at, clock_of(task).held_at) == (None, planned)
    Task.objects.filter(pk=task.pk).update(enabled=True)
    assert (clock_of(task).next_run_at, clock_of(task).held_at) == (planned, None)


def test_a_task_that_was_created_paused_begins_when_it_is_resumed(conn: Connection) -> None:
    task = make_task(trigger="interval", every_seconds=1, enabled=False)
    assert plan_edited(conn) == 0
    resumed_at = database_now(conn)
    Task.objects.filter(pk=task.pk).update(enabled=True)
    plan_edited(conn)
    next_run_at = clock_of(task).next_run_at
    assert next_run_at is not None
    assert next_run_at > resumed_at


def test_a_single_run_for_now_is_planned_although_it_is_past_when_it_arrives(conn: Connection) -> None:
    moment = database_now(conn) - timedelta(seconds=1)
    task = make_task(trigger="once", run_at=moment)
    plan_edited(conn)
    assert clock_of(task).next_run_at == moment


def test_a_schedule_that_cannot_be_read_stops_its_own_clock_and_says_why(conn: Connection) -> None:
    broken = make_task(trigger="cron", cron_expression="* * * * *")
    other = make_task(trigger="interval", every_seconds=60)
    conn.execute("UPDATE rota_task SET cron_expression = 'every now and then' WHERE id = %s", [broken.pk])
    plan_edited(conn)
    assert clock_of(broken).next_run_at is None
    assert clock_of(broken).error
    assert clock_of(other).next_run_at is not None


def test_deleting_a_task_removes_its_clock_and_keeps_its_revisions(conn: Connection) -> None:
    task = make_task()
    pk = task.pk
    conn.execute("DELETE FROM rota_task WHERE id = %s", [pk])
    assert not TaskClock.objects.filter(task=pk).exists()
    assert TaskRevision.objects.filter(task_id=pk).exists()


def test_a_tick_between_two_edits_that_no_scheduler_saw_is_not_lost(conn: Connection) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * * *")
    tick = clock_of(task).planned_from.replace(microsecond=0) + timedelta(seconds=1)
    wait_until(lambda: database_now(conn) > tick, what="a tick has come due under the first schedule")
    Task.objects.filter(pk=task.pk).update(cron_expression="*/1 * * * * *")
    plan_edited(conn)
    assert clock_of(task).next_run_at == tick


def test_a_scheduler_that_knows_the_old_schedule_does_not_decide_what_comes_after_a_tick_that_both_have(
    conn: Connection,
) -> None:
    task = make_task(trigger="interval", every_seconds=86_400, overlap="allow")
    plan_edited(conn)
    shared = database_now(conn) + timedelta(seconds=1)
    TaskClock.objects.filter(task=task).update(next_run_at=shared)
    reader = ClockReader()
    (old,) = reader.some(conn, [task.pk])
    Task.objects.filter(pk=task.pk).update(every_seconds=60)
    plan_edited(conn)
    TaskClock.objects.filter(task=task).update(next_run_at=shared)
    wait_until(lambda: database_now(conn) > shared, what="the tick is due")
    assert fire(conn, [old.tick(database_now(conn))]).task_ids == []
    (new,) = reader.some(conn, [task.pk])
    assert fire(conn, [new.tick(database_now(conn))]).task_ids == [task.pk]
    following = TaskClock.objects.get(task=task).next_run_at
    assert following is not None
    assert following < shared + timedelta(minutes=2)


def test_of_two_edits_while_a_tick_is_overdue_the_second_decides_what_comes_after_it(conn: Connection) -> None:
    task = make_task(trigger="interval", every_seconds=86_400, overlap="allow")
    plan_edited(conn)
    overdue = database_now(conn) - timedelta(seconds=2)
    TaskClock.objects.filter(task=task).update(next_run_at=overdue, planned_from=overdue - timedelta(days=1))
    reader = ClockReader()
    known = []
    for seconds in (43_200, 60):
        Task.objects.filter(pk=task.pk).update(every_seconds=seconds)
        plan_edited(conn)
        known += reader.some(conn, [task.pk])
    first, second = known
    assert first.next_run_at == second.next_run_at == overdue
    assert fire(conn, [first.tick(database_now(conn))]).task_ids == []
    assert fire(conn, [second.tick(database_now(conn))]).task_ids == [task.pk]
