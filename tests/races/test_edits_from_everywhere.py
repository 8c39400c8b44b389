"""Several editors at once while a task fires each 100 ms: no tick is lost, none comes twice, and schedulers follow."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse

from scheduling.conf import SchedulingConf
from scheduling.db import Connection, database_now
from scheduling.ledger import read_ledger
from scheduling.models import Task, TaskClock, TaskInstance
from scheduling.runtime.loop import SchedulerLoop
from scheduling.services import save_task
from tests.factories import make_task, make_user
from tests.support.waiting import wait_until
from tests.web.admin.task_post import fields

TENTH = timedelta(milliseconds=100)
#: Two ways to say the same, so that an edit of the schedule itself moves no tick either.
ANCHORS = (datetime.fromisoformat("2024-01-01T00:00:00Z"), datetime.fromisoformat("2024-01-01T00:00:01Z"))
#: So many ticks are fired while the editors work.
TICKS = 40

Edit = Callable[[int], None]


@pytest.fixture
def schedulers(conn: Connection) -> Iterator[Callable[[int], None]]:
    """Start real loops, which are ended after the test. By themselves they look again after an hour only."""
    running: list[tuple[SchedulerLoop, threading.Thread]] = []
    settings = SchedulingConf(HORIZON_SECONDS=3600, LONGEST_SLEEP_SECONDS=3600, MAINTENANCE_SECONDS=3600)

    def start(count: int) -> None:
        for _ in range(count):
            loop = SchedulerLoop(settings=settings)
            running.append((loop, threading.Thread(target=loop.run)))
            running[-1][1].start()

    yield start
    for loop, thread in running:
        loop.stop()
        thread.join()


def ticks(task: Task) -> list[datetime]:
    found = TaskInstance.objects.filter(task=task).order_by("scheduled_for")
    return list(found.values_list("scheduled_for", flat=True))


def by_admin(task: Task) -> Edit:
    client = Client()
    client.force_login(make_user(superuser=True))
    url = reverse("admin:scheduling_task_change", args=[task.pk])

    def edit(number: int) -> None:
        anchor = ANCHORS[number % 2]
        posted = fields(
            "shell",
            name=task.name,
            overlap="allow",
            param_command=f"echo {number}",
            trigger="interval",
            every_seconds="0.1",
            anchor_at_0=f"{anchor:%Y-%m-%d}",
            anchor_at_1=f"{anchor:%H:%M:%S}",
        )
        response = client.post(url, posted)
        assert response.status_code == 302, response.content.decode()

    return edit


def by_service(task: Task) -> Edit:
    def edit(number: int) -> None:
        fresh = Task.objects.get(pk=task.pk)
        fresh.priority, fresh.anchor_at, fresh.every_seconds = number % 100, ANCHORS[number % 2], 0.1
        fresh.trigger = "interval"
        save_task(fresh)

    return edit


def by_update(task: Task) -> Edit:
    def edit(number: int) -> None:
        Task.objects.filter(pk=task.pk).update(
            params={"command": f"echo {number}"}, trigger="interval", every_seconds=0.1, anchor_at=ANCHORS[number % 2]
        )

    return edit


def by_sql(task: Task) -> Edit:
    def edit(number: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE rota_task SET description = %s, trigger = 'interval', every_seconds = 0.1, anchor_at = %s "
                "WHERE id = %s",
                [str(number), ANCHORS[number % 2], task.pk],
            )

    return edit


WAYS = [by_admin, by_service, by_update, by_sql]


def test_four_editors_of_a_task_that_fires_each_100_ms_lose_no_tick_and_double_none(
    conn: Connection, schedulers: Callable[[int], None]
) -> None:
    task = make_task(trigger="interval", every_seconds=0.1, anchor_at=ANCHORS[0], overlap="allow")
    schedulers(2)
    wait_until(lambda: ticks(task), what="it has begun to fire")
    begun = database_now(conn)
    enough = threading.Event()
    edits: Counter[Edit] = Counter()
    errors: list[Exception] = []

    def repeat(edit: Edit) -> None:
        try:
            for number in itertools.count(1):
                edit(number)
                edits[edit] = number
                if enough.wait(0.1):
                    return
        except Exception as error:  # noqa: BLE001 - shown by the test itself
            errors.append(error)
        finally:
            connection.close()

    def ended() -> bool:
        fired = TaskInstance.objects.filter(task=task, scheduled_for__gt=begun).count()
        # Each way of editing was tried again and again.
        return bool(errors) or (fired >= TICKS and len(edits) == len(WAYS) and min(edits.values()) > 5)

    editors = [threading.Thread(target=repeat, args=[way(task)]) for way in WAYS]
    for editor in editors:
        editor.start()
    try:
        wait_until(ended, seconds=60, what=f"{TICKS} ticks, and edits of each kind")
    finally:
        enough.set()
        for editor in editors:
            editor.join()
    assert errors == []
    last_edit = database_now(conn)
    wait_until(lambda: ticks(task)[-1] > last_edit, what="a tick after the last edit")
    lines = read_ledger(task, from_at=begun, until_at=last_edit).lines
    assert {line.entry.state.value for line in lines} <= {"ran", "late"}, "each fired by itself"
    assert {later.entry.at - earlier.entry.at for earlier, later in pairwise(lines)} == {TENTH}
    assert len({line.entry.instance_id for line in lines}) == len(lines)
    fired = ticks(task)
    assert len(fired) == len(set(fired))
    assert not TaskInstance.objects.exclude(missed_count=None).exists()


@pytest.mark.parametrize("way", WAYS)
def test_schedulers_follow_an_edit_long_before_they_would_look_by_themselves(
    conn: Connection, schedulers: Callable[[int], None], way: Callable[[Task], Edit]
) -> None:
    task = make_task(trigger="cron", cron_expression="0 0 1 1 *", overlap="allow")
    schedulers(1)
    wait_until(lambda: TaskClock.objects.get(task=task).next_run_at)
    way(task)(1)
    wait_until(lambda: ticks(task), what="it fires by its new schedule")


def test_an_edit_of_what_is_no_part_of_the_schedule_is_followed_too(
    conn: Connection, schedulers: Callable[[int], None]
) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * * *", overlap="allow")
    schedulers(1)
    wait_until(lambda: ticks(task))
    Task.objects.filter(pk=task.pk).update(jitter_seconds=1)
    wait_until(lambda: task.queue_entries.filter(run_at__gt=F("scheduled_for")).exists())
