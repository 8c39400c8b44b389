"""What the scheduler makes of jitter and of calendars."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from scheduling.db import Connection, database_now
from scheduling.domain.jitter import jitter_of
from scheduling.models import Calendar, CalendarRule, QueueEntry, Task, TaskClock, TaskInstance
from scheduling.runtime.loop import SchedulerLoop
from scheduling.services import run_task_now
from tests.factories import make_namespace, make_task
from tests.support.waiting import wait_until


@pytest.fixture
def loop(conn: Connection) -> Iterator[SchedulerLoop]:
    """A loop that the test turns."""
    made = SchedulerLoop()
    yield made
    made.close()


def every_day(note: str = "always") -> Calendar:
    """A calendar that blacks out everything, made behind the back of the services."""
    calendar = Calendar.objects.create(namespace=make_namespace(), name=f"calendar of {note}")
    CalendarRule.objects.create(calendar=calendar, kind="weekdays", weekdays=[1, 2, 3, 4, 5, 6, 7], note=note)
    return calendar


def ticks(task: Task, **over: object) -> list[TaskInstance]:
    return list(TaskInstance.objects.filter(task=task, origin="schedule", **over).order_by("scheduled_for"))


def test_a_tick_with_jitter_keeps_its_moment_and_waits_until_the_later_one(
    conn: Connection, loop: SchedulerLoop
) -> None:
    task = make_task(trigger="interval", every_seconds=86400, jitter_seconds=3600, overlap="allow")
    loop.turn()
    due = database_now(conn).replace(microsecond=0)
    TaskClock.objects.filter(task=task).update(next_run_at=due)
    # Read anew: this was no edit.
    loop._ahead.forget()
    loop.turn()
    (instance,) = ticks(task)
    entry = QueueEntry.objects.get(instance=instance.pk)
    clock = TaskClock.objects.get(task=task)
    assert instance.scheduled_for == due
    assert entry.run_at == due + jitter_of(task.pk, due, 3600, clock.next_run_at)
    assert (entry.state, instance.state) == (4, "waiting")


@pytest.mark.parametrize(("overlap", "state"), [("allow", 0), ("queue_all", 0)])
def test_it_goes_on_when_its_moment_has_come(conn: Connection, loop: SchedulerLoop, overlap: str, state: int) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * * *", jitter_seconds=1, overlap=overlap)
    wait_until(lambda: loop.turn() is not None and QueueEntry.objects.filter(task=task, state=state).exists())
    entry = QueueEntry.objects.filter(task=task, state=state).earliest("run_at")
    assert entry.scheduled_for < entry.run_at <= database_now(conn)
    assert entry.run_at < entry.scheduled_for + timedelta(seconds=1)


def test_a_blacked_out_tick_is_a_row_that_names_the_calendar_and_its_rule(
    conn: Connection, loop: SchedulerLoop
) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * * *", overlap="allow")
    task.calendars.add(every_day("Stocktaking"))
    wait_until(lambda: loop.turn() is not None and len(ticks(task)) >= 2)
    for instance in ticks(task):
        assert (instance.state, instance.reason, instance.missed_count) == ("skipped", "calendar", None)
        assert instance.message == "Blacked out by the calendar “calendar of Stocktaking”: Stocktaking."
    assert not QueueEntry.objects.exists()


def test_a_run_by_hand_ignores_calendars(conn: Connection) -> None:
    task = make_task(trigger="manual")
    task.calendars.add(every_day())
    assert run_task_now(task).state == "ready"


@pytest.mark.parametrize("way", ["rule", "delete", "sql", "task"])
def test_a_scheduler_follows_an_edit_of_a_calendar_however_it_was_made(conn: Connection, way: str) -> None:
    # A real loop, on its own, that would look again by itself only after a long time.
    from threading import Thread

    from scheduling.conf import SchedulingConf

    task = make_task(trigger="cron", cron_expression="* * * * * *", overlap="allow")
    calendar = every_day()
    task.calendars.add(calendar)
    running = SchedulerLoop(settings=SchedulingConf(HORIZON_SECONDS=3600))
    thread = Thread(target=running.run)
    thread.start()
    try:
        wait_until(lambda: ticks(task, reason="calendar"))
        match way:
            case "rule":
                calendar.rules.update(effect="inclusion")
            case "delete":
                calendar.rules.all().delete()
            case "sql":
                conn.execute("UPDATE rota_calendar_rule SET weekdays = '{}'")
            case "task":
                task.calendars.clear()
        wait_until(lambda: ticks(task, outcome=None))
    finally:
        running.stop()
        thread.join()
    moments = [instance.scheduled_for for instance in ticks(task)]
    gaps = {later - earlier for earlier, later in pairwise(moments)}
    assert gaps == {timedelta(seconds=1)}


def test_a_rule_that_nobody_understands_is_ignored_and_stops_no_task(conn: Connection, loop: SchedulerLoop) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * * *", overlap="allow")
    calendar = every_day()
    calendar.rules.update(kind="full moon")
    task.calendars.add(calendar)
    wait_until(lambda: loop.turn() is not None and ticks(task, outcome=None))
