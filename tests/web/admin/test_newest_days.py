"""A list that is narrowed by task shows the same rows as if the whole history had been read, page by page."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scheduling.admin.newest_days import newest_rows
from scheduling.db import Connection
from scheduling.models import Task, TaskInstance
from scheduling.narrowing import narrow_to_rows_of
from tests.factories import make_task, make_user
from tests.support.days import days_ago, make_day, old_instance, remove_days


@pytest.fixture
def history(conn: Connection) -> Iterator[list[Task]]:
    """Tasks with instances on many days, not all of them made in the order of their days."""
    chance = random.Random(7)
    days = [days_ago(count) for count in range(20)]
    for count in range(20):
        make_day(conn, count)
    tasks = [make_task(name=f"report {number}") for number in range(4)]
    # The later the day, the later it was made; but for one in ten, as a backfill makes them.
    made = sorted(
        ((count if chance.random() < 0.9 else 0, count) for count in chance.choices(range(20), k=150)), reverse=True
    )
    for _, count in made:
        old_instance(conn, chance.choice(tasks), days[count], made_days_ago=0)
    yield tasks
    remove_days(conn, days[1:])


def plain(found: QuerySet[TaskInstance], first: int, last: int) -> list[int]:
    return [each.pk for each in found[first:last]]


@pytest.mark.parametrize("reach", [None, timedelta(days=30), timedelta(days=7), timedelta(hours=24)])
def test_each_page_holds_what_a_slice_of_the_whole_list_holds(history: list[Task], reach: timedelta | None) -> None:
    now = timezone.now()
    for names in (["report 1"], ["report 1", "report 2"], ["report"], ["nothing"]):
        tasks = Task.objects.none()
        for name in names:
            tasks = tasks | Task.objects.filter(name__contains=name)
        found = narrow_to_rows_of(TaskInstance.objects.order_by("-id"), tasks)
        if reach is not None:
            found = found.filter(scheduled_for__gte=now - reach)
        for size, most in ((5, 50), (50, 160)):
            for first in range(0, most, size):
                rows = newest_rows(found, first, first + size + 1, now=now, reach=reach)
                assert [each.pk for each in rows] == plain(found, first, first + size + 1)


def test_a_page_of_what_ran_lately_leaves_the_old_days_alone(conn: Connection, history: list[Task]) -> None:
    for _ in range(60):
        old_instance(conn, history[0], days_ago(0), made_days_ago=0)
    reader = Client()
    reader.force_login(make_user(superuser=True))
    with CaptureQueriesContext(connection) as asked:
        page = reader.get("/admin/scheduling/taskinstance/?q=report+0&range=30d")
    assert page.status_code == 200
    rows = [query["sql"] for query in asked if '"rota_instance"."reason"' in query["sql"]]
    assert len(rows) == 1
    shown = [each.pk for each in page.context["cl"].result_list]
    assert shown == plain(TaskInstance.objects.filter(task=history[0]).order_by("-id"), 0, 50)
