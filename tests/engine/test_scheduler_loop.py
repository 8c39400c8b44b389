"""The scheduler's loop, turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db.models import Count

from scheduling.conf import SchedulingConf, conf
from scheduling.db import CLOCK_CHANNEL, Connection, database_now
from scheduling.models import QueueEntry, Task, TaskClock, TaskInstance
from scheduling.runtime.fire_batches import FIRST
from scheduling.runtime.loop import SchedulerLoop
from scheduling.runtime.registry import Registry
from scheduling.services import run_task_now
from tests.factories import make_task
from tests.support.waiting import wait_until


@pytest.fixture
def loop(conn: Connection) -> Iterator[SchedulerLoop]:
    """A loop that the test turns."""
    made = SchedulerLoop()
    yield made
    made.close()


def overdue(task: Task, conn: Connection, seconds: float) -> None:
    """Let the clock of ``task`` show a tick that passed so long ago, on its own grid."""
    now = database_now(conn)
    due = now.replace(microsecond=0) - timedelta(seconds=seconds)
    TaskClock.objects.filter(task=task).update(next_run_at=due, planned_from=due - timedelta(days=1), dirty=False)


def test_a_new_task_is_planned_and_fires_when_its_time_has_come(conn: Connection, loop: SchedulerLoop) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * * *", overlap="allow")

    def fired() -> bool:
        loop.turn()
        return TaskInstance.objects.filter(task=task).exists()

    wait_until(fired)
    assert QueueEntry.objects.filter(task=task, state=0).exists()


def test_the_loop_sleeps_until_the_next_tick_and_not_second_by_second(conn: Connection, loop: SchedulerLoop) -> None:
    make_task(trigger="interval", every_seconds=86400)
    wait_until(lambda: loop.turn() > 2, what="nothing is due for seconds")


def test_ticks_that_are_merely_late_all_run(conn: Connection, loop: SchedulerLoop) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * * *", overlap="allow")
    overdue(task, conn, 5)
    wait_until(lambda: loop.turn() is not None and TaskInstance.objects.filter(task=task).count() >= 6)
    ticks = list(
        TaskInstance.objects.filter(task=task).order_by("scheduled_for").values_list("scheduled_for", flat=True)
    )
    assert {later - earlier for earlier, later in pairwise(ticks)} == {timedelta(seconds=1)}
    assert set(TaskInstance.objects.values_list("missed_count", flat=True)) == {None}


def test_a_herd_is_fired_in_one_turn_whatever_was_read_ahead_and_in_how_many_batches(conn: Connection) -> None:
    loop = SchedulerLoop(settings=SchedulingConf(READ_BATCH=70, FIRE_BATCH=80))
    tasks = [make_task(trigger="cron", cron_expression="0 0 1 1 *", overlap="allow") for _ in range(160)]
    try:
        loop.turn()
        for task in tasks:
            overdue(task, conn, 5)
        loop._ahead.forget()

        def fired() -> bool:
            loop.turn()
            return TaskInstance.objects.count() >= len(tasks)

        wait_until(fired, what="every task of the herd was fired")
        assert TaskInstance.objects.count() == len(tasks)
        assert not TaskClock.objects.filter(next_run_at__lte=database_now(conn)).exists()
    finally:
        loop.close()


def test_a_clock_that_was_fired_in_one_batch_goes_on_while_the_next_is_fired(
    conn: Connection, loop: SchedulerLoop
) -> None:
    tasks = [make_task(trigger="interval", every_seconds=1, overlap="allow") for _ in range(FIRST + 10)]

    def all_twice() -> bool:
        loop.turn()
        twice = TaskInstance.objects.values("task_id").annotate(fired=Count("pk")).filter(fired__gte=2)
        return twice.count() == len(tasks)

    wait_until(all_twice, what="each of them has fired again")


@pytest.mark.parametrize(("catch_up", "outcome"), [("latest", None), ("none", "skipped")])
def test_after_an_outage_one_row_stands_for_what_was_missed(
    conn: Connection, loop: SchedulerLoop, catch_up: str, outcome: str | None
) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * *", catch_up=catch_up, overlap="allow")
    now = database_now(conn)
    since = now.replace(second=0, microsecond=0) - timedelta(hours=1)
    TaskClock.objects.filter(task=task).update(
        next_run_at=since, planned_from=since - timedelta(minutes=1), dirty=False
    )
    wait_until(lambda: loop.turn() is not None and TaskInstance.objects.filter(task=task).exists())
    instance = TaskInstance.objects.filter(task=task).earliest("id")
    assert (instance.outcome, instance.missed_since) == (outcome, since)
    assert instance.missed_count in (61, 62)
    assert instance.scheduled_for >= now.replace(second=0, microsecond=0)
    if outcome:
        assert (instance.reason, "not caught up" in instance.message) == ("misfire", True)


def test_with_catch_up_all_every_missed_tick_runs_up_to_the_cap_and_the_rest_is_recorded(
    conn: Connection, loop: SchedulerLoop
) -> None:
    task = make_task(
        trigger="cron",
        cron_expression="* * * * *",
        catch_up="all",
        max_catch_up=10,
        overlap="allow",
    )
    overdue(task, conn, 0)
    since = database_now(conn).replace(second=0, microsecond=0) - timedelta(minutes=30)
    TaskClock.objects.filter(task=task).update(next_run_at=since)

    def caught_up() -> bool:
        loop.turn()
        clock = TaskClock.objects.get(task=task)
        return clock.next_run_at is not None and clock.next_run_at > database_now(conn)

    wait_until(caught_up)
    skipped = TaskInstance.objects.get(task=task, outcome="skipped")
    ran = TaskInstance.objects.filter(task=task, outcome=None).count()
    assert skipped.missed_since == since
    assert skipped.missed_count is not None
    assert skipped.missed_count + ran in (31, 32), "no tick is unexplained"
    assert ran <= 13


def test_a_tick_while_the_earlier_instance_is_unfinished_is_skipped_by_default(
    conn: Connection, loop: SchedulerLoop
) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * * *")
    run_task_now(task)
    wait_until(lambda: loop.turn() is not None and TaskInstance.objects.filter(task=task, origin="schedule").exists())
    tick = TaskInstance.objects.filter(task=task, origin="schedule").earliest("id")
    wait_until(lambda: loop.turn() is not None and TaskInstance.objects.get(pk=tick.pk).outcome)
    tick.refresh_from_db()
    assert (tick.outcome, tick.reason) == ("skipped", "overlap")


def test_a_planned_run_becomes_ready_at_its_moment(conn: Connection, loop: SchedulerLoop) -> None:
    instance = run_task_now(make_task(), at=database_now(conn) + timedelta(seconds=0.4))
    assert instance.state == "waiting"
    wait_until(lambda: loop.turn() is not None and QueueEntry.objects.get(instance=instance.pk).state == 0)
    assert database_now(conn) >= instance.scheduled_for


def test_a_single_run_fires_once_and_its_clock_stands_still(conn: Connection, loop: SchedulerLoop) -> None:
    task = make_task(trigger="once", run_at=database_now(conn) + timedelta(seconds=0.2))
    wait_until(lambda: loop.turn() is not None and TaskInstance.objects.filter(task=task).exists())
    clock = TaskClock.objects.get(task=task)
    assert (clock.next_run_at, clock.last_fired_for) == (None, task.run_at)


def test_partitions_are_made_ahead(conn: Connection, loop: SchedulerLoop) -> None:
    day = database_now(conn).date() + timedelta(days=7)
    name = f"rota_log_chunk_p{day:%Y%m%d}"
    conn.execute(f"DROP TABLE IF EXISTS {name}")
    loop.turn()
    row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone()
    assert row == (True,)


def test_schedulers_share_the_tasks_and_one_takes_over_what_another_leaves(conn: Connection) -> None:
    tasks = [make_task(trigger="interval", every_seconds=86400) for _ in range(40)]
    often = replace(conf(), HEARTBEAT_SECONDS=0.05)
    loops = [SchedulerLoop(registry=Registry(), settings=often) for _ in range(2)]

    def shared() -> bool:
        for each in loops:
            each.turn()
        return all(each.share.count == 2 for each in loops)

    wait_until(shared, what="each knows of the other")
    ours = {task.pk for task in tasks if loops[0].share.has(task.pk)}
    assert 5 < len(ours) < 35
    due = database_now(conn) + timedelta(seconds=0.5)
    TaskClock.objects.update(next_run_at=due, dirty=False)
    loops[0].take_note({CLOCK_CHANNEL: {""}})
    wait_until(lambda: loops[0].turn() is not None and TaskInstance.objects.count() >= len(ours))
    assert set(TaskInstance.objects.values_list("task_id", flat=True)) >= ours
    # The other one never turns again.
    wait_until(lambda: loops[0].turn() is not None and TaskInstance.objects.count() == len(tasks))
    left = TaskInstance.objects.exclude(task__in=ours).values_list("created_at", flat=True)
    assert all(moment - due >= timedelta(seconds=1) for moment in left)
    for each in loops:
        each.close()
