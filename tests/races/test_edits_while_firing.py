"""Edits from anywhere, in a loop, while a task fires each second: no tick is lost, and none runs twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle, pairwise
from threading import Thread

import pytest
from django.test import Client
from django.urls import reverse

from scheduling.db import Connection, database_now, own_connection
from scheduling.engine.partitions import create_ahead
from scheduling.ledger import read_ledger
from scheduling.models import Task, TaskClock, TaskInstance
from scheduling.runtime.loop import SchedulerLoop
from scheduling.services import pause_task, resume_task, save_task
from tests.factories import make_task, make_user
from tests.support.waiting import wait_until

#: So many ticks must have fired before an edit loop may end.
TICKS = 4


@pytest.fixture
def schedulers(conn: Connection) -> Iterator[None]:
    """Two schedulers in threads."""
    create_ahead(conn, now=database_now(conn), days=1)
    loops = [SchedulerLoop(), SchedulerLoop()]
    threads = [Thread(target=loop.run) for loop in loops]
    for thread in threads:
        thread.start()
    yield
    for loop in loops:
        loop.stop()
    for thread in threads:
        thread.join()


def edits(task: Task, client: Client, conn: Connection) -> Iterator[None]:
    """Edit something else than the schedule, by another way each time."""
    for number in cycle(range(1, 90)):
        Task.objects.filter(pk=task.pk).update(priority=number)
        yield
        conn.execute("UPDATE rota_task SET description = %s WHERE id = %s", [str(number), task.pk])
        yield
        fresh = Task.objects.get(pk=task.pk)
        fresh.kill_grace_seconds = number
        save_task(fresh)
        yield
        client.post(reverse("admin:scheduling_task_pause", args=[task.pk]))
        client.post(reverse("admin:scheduling_task_resume", args=[task.pk]))
        yield
        pause_task(fresh)
        resume_task(fresh)
        yield


def test_edits_of_something_else_neither_drop_nor_double_a_tick(conn: Connection, schedulers: None) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * * *", overlap="allow")
    client, sql = Client(), own_connection("test")
    client.force_login(make_user(superuser=True))
    begun = database_now(conn)
    edit = edits(task, client, sql)
    wait_until(lambda: next(edit, True) is None and TaskInstance.objects.filter(task=task).count() >= TICKS)
    settled = database_now(conn)
    wait_until(lambda: (TaskClock.objects.get(task=task).next_run_at or begun) > settled)
    sql.close()
    lines = read_ledger(task, from_at=begun, until_at=settled).lines
    assert {line.entry.state.value for line in lines} <= {"ran", "late"}, "each fired by itself"
    moments = [line.entry.at for line in lines]
    assert all(later - earlier == timedelta(seconds=1) for earlier, later in pairwise(moments))
    assert Task.objects.get(pk=task.pk).version > TICKS


def test_edits_of_the_schedule_itself_leave_no_tick_unexplained(conn: Connection, schedulers: None) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * * *", overlap="allow")
    begun = database_now(conn)
    expressions = cycle(["*/2 * * * * *", "* * * * * *", "1-59/2 * * * * *"])

    def edited_and_fired() -> bool:
        Task.objects.filter(pk=task.pk).update(cron_expression=next(expressions))
        Task.objects.filter(pk=task.pk).update(enabled=False)
        Task.objects.filter(pk=task.pk).update(enabled=True)
        return TaskInstance.objects.filter(task=task, outcome=None).count() >= TICKS

    wait_until(edited_and_fired)
    settled = database_now(conn)
    wait_until(lambda: (TaskClock.objects.get(task=task).next_run_at or begun) > settled)
    ledger = read_ledger(task, from_at=begun, until_at=settled)
    assert ledger.unexplained == 0
    instances = Counter(line.entry.instance_id for line in ledger.lines if line.entry.state in {"ran", "late"})
    assert instances
    assert set(instances.values()) == {1}
