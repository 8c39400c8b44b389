"""The fleet calendar: what all tasks will do and have done, hour by hour, and which tasks are behind an hour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from scheduling.db import callers_connection
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.engine.fold_statistics import fold_statistics
from scheduling.models import Task, TaskClock
from scheduling.services.validation import trigger_of
from scheduling.statistics import Scope, fires_by_hour, tasks_that_fire
from scheduling.statistics.shared_schedules import _OTHERS, _PLAIN, schedules, tasks_with
from tests.factories import make_namespace, make_task, make_user
from tests.web.api.work import ended, free_task
from workers.domain.states import ExecutionState

pytestmark = pytest.mark.django_db

PAGE = "/admin/fleet-calendar/"
EVERYTHING = Scope(namespace_ids=None)
HOUR = timedelta(hours=1)

#: The Sunday on which Berlin's clocks are set back lies within.
SINCE = datetime(2026, 10, 23, 5, tzinfo=UTC)
UNTIL = SINCE + 100 * HOUR


def cells_of(client: Client, key: str) -> list[Any]:
    """The cells of one map as the template gets them."""
    maps = {each["key"]: each for each in client.get(PAGE).context["maps"]}
    return [link for _time, links in maps[key]["rows"] for link in links if link is not None]


def varied_tasks() -> None:
    """Tasks of every kind, some of which share a schedule."""
    for expression in ("*/7 * * * *", "30 2 * * *", "30 2 * * *", "0 9 * * thu", "H H * * *", "*/20 * * * * *"):
        make_task(trigger="cron", cron_expression=expression, timezone="Europe/Berlin")
    make_task(trigger="cron", cron_expression="30 2 * * *", timezone="Europe/Berlin", dst_fold="both")
    for zone in ("UTC", "Asia/Shanghai", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca"):
        for expression in ("59 */3 * * *", "45 4 * * *", "15 4 * * *", "7 9-17 * * mon-fri", "30 59 2 * * *"):
            make_task(trigger="cron", cron_expression=expression, timezone=zone)
    bounds = {"starts_at": SINCE + 2.5 * HOUR, "ends_at": SINCE + 4.5 * HOUR}
    make_task(trigger="cron", cron_expression="15 * * * *", timezone="UTC", **bounds)
    make_task(trigger="cron", cron_expression="45 * * * *", timezone="UTC", **bounds)
    anchor = datetime(2026, 1, 1, 0, 0, 17, 250_000, tzinfo=UTC)
    for seconds in (0.5, 7, 60, 420, 3600, 5400, 86_400, 100_000):
        make_task(trigger="interval", every_seconds=seconds, anchor_at=anchor)
    make_task(trigger="interval", every_seconds=60, starts_at=SINCE + 2 * HOUR, ends_at=SINCE + 3.5 * HOUR)
    make_task(trigger="once", run_at=SINCE + timedelta(minutes=150))
    make_task(trigger="once", run_at=UNTIL + HOUR)
    make_task(trigger="manual")
    make_task(trigger="cron", cron_expression="* * * * *", enabled=False)


def test_every_hour_counts_what_the_triggers_themselves_say() -> None:
    varied_tasks()
    found = fires_by_hour(EVERYTHING, since=SINCE, until=UNTIL, patience_seconds=600)
    assert found.tasks_left == 0
    instant = timedelta(microseconds=1)
    at = SINCE
    expected: dict[datetime, int] = {}
    triggers = [trigger_of(task) for task in Task.objects.enabled().exclude(trigger="manual")]
    while at < UNTIL:
        count = sum(each.count_between(at - instant, at + HOUR - instant, cap=10**6) for each in triggers)
        expected |= {at: count} if count else {}
        at += HOUR
    assert found.counts == expected


def test_tasks_with_one_schedule_are_walked_once() -> None:
    for _ in range(5):
        make_task(trigger="cron", cron_expression="15 * * * *")
        make_task(trigger="interval", every_seconds=900)
        make_task(trigger="cron", cron_expression="0 9 * * thu")
    found = schedules(EVERYTHING, since=SINCE, until=UNTIL)
    assert [each.task_count for each in found] == [5, 5, 5]


def test_schedules_that_there_was_no_time_for_are_counted_as_left() -> None:
    make_task(trigger="cron", cron_expression="15 * * * *")
    found = fires_by_hour(EVERYTHING, since=SINCE, until=UNTIL, patience_seconds=-1)
    assert (found.tasks_left, found.counts) == (1, {})


def test_the_tasks_of_an_hour_are_those_that_fire_in_it_the_busiest_first() -> None:
    often = make_task(trigger="interval", every_seconds=60)
    once = make_task(trigger="once", run_at=SINCE + timedelta(minutes=5))
    make_task(trigger="once", run_at=SINCE + timedelta(minutes=65))
    found = tasks_that_fire(EVERYTHING, since=SINCE, until=SINCE + HOUR)
    assert [(each.task_id, each.count) for each in found] == [(often.pk, 60), (once.pk, 1)]


def test_the_coming_days_have_a_cell_for_each_hour_and_begin_with_this_one(root: Client) -> None:
    make_task(trigger="cron", cron_expression="5 * * * *")
    cells = cells_of(root, "coming")
    assert 7 * 24 < len(cells) <= 8 * 24
    assert all(cell.cell.count == 1 for cell in cells)
    first = min(link.cell.hours[0] for link in cells)
    assert first <= timezone.now() < first + HOUR + timedelta(minutes=1)


def test_an_hour_of_the_past_says_what_ended_and_what_failed_and_leads_to_its_tasks(root: Client) -> None:
    ended(free_task(name="did-fail"), ExecutionState.FAILED)
    ended(free_task(name="did-not"))
    fold_statistics(callers_connection())
    filled = [link for link in cells_of(root, "past") if link.cell.count]
    # At the full hour they may lie in two.
    assert sum(link.cell.count for link in filled) == 2
    assert sum(link.cell.failed for link in filled) == 1
    named = [task for link in filled for task in root.get(link.url).context["tasks"]]
    assert {(task.name, task.failed) for task in named} == {("did-fail", 1), ("did-not", 0)}


def test_an_hour_to_come_leads_to_the_tasks_that_fire_in_it(root: Client) -> None:
    task = make_task(name="hourly", trigger="cron", cron_expression="5 * * * *")
    link = cells_of(root, "coming")[-1]
    page = root.get(link.url)
    assert [(each.name, each.count) for each in page.context["tasks"]] == [("hourly", 1)]
    assert f'href="/admin/scheduling/task/{task.pk}/change/"' in page.content.decode()
    assert page.content.decode().count('aria-current="true"') == 1
    assert "<td>Default</td>" in page.content.decode(), "a namespace is called by its title"


@pytest.mark.parametrize("hour", ["yesterday", "2019-01-01T00", "9999-99-99T99", ""])
def test_an_address_that_names_no_hour_shows_the_maps_alone(root: Client, hour: str) -> None:
    page = root.get(PAGE, {"hour": hour})
    assert page.status_code == 200
    assert "tasks" not in page.context


def test_a_map_without_anything_says_so(root: Client) -> None:
    page = root.get(PAGE).content.decode()
    assert "No enabled task fires in these days." in page
    assert "Nothing ended in these days." in page


def test_what_belongs_to_others_is_in_no_hour(login: Callable[[User], Client]) -> None:
    make_task(name="withheld", trigger="cron", cron_expression="* * * * *")
    ended(free_task(name="withheld-too"))
    fold_statistics(callers_connection())
    make_task(name="own", trigger="cron", cron_expression="5 * * * *", namespace=make_namespace("elsewhere"))
    stranger = login(make_user(elsewhere=Role.VIEWER))
    cells = cells_of(stranger, "coming")
    assert {link.cell.count for link in cells} == {1}
    assert "withheld" not in stranger.get(cells[-1].url).content.decode()
    assert not stranger.get(PAGE).context["maps"][1]["total"]
    nobody = login(make_user())
    assert "You belong to no namespace yet" in nobody.get(PAGE).content.decode()


def test_a_fixed_delay_counts_from_its_next_run(root: Client) -> None:
    task = make_task(trigger="fixed_delay", every_seconds=86_400)
    at = timezone.now().replace(minute=30, second=0, microsecond=0) + timedelta(hours=5)
    TaskClock.objects.filter(task=task).update(next_run_at=at, dirty=False)
    hours = sorted(hour for link in cells_of(root, "coming") if link.cell.count for hour in link.cell.hours)
    assert hours[0] == at.replace(minute=0)
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(hours))


@pytest.mark.parametrize("hour", ["2001-01-01T00", "nonsense"])
def test_an_hour_that_the_maps_do_not_have_is_said(root: Client, hour: str) -> None:
    answer = root.get("/admin/fleet-calendar/", {"of": "past", "hour": hour})
    assert "names an hour that these fourteen days do not have" in answer.content.decode()


def test_the_tasks_of_each_kind_of_schedule_are_found_again_and_no_more_than_were_asked_for() -> None:
    varied_tasks()
    for _ in range(3):
        varied_tasks()
    found = schedules(EVERYTHING, since=SINCE, until=UNTIL, named=2)
    for schedule in found:
        named = tasks_with(EVERYTHING, [schedule], limit=2)
        assert len(named) == min(2, schedule.task_count), schedule.fields
        for task in Task.objects.filter(pk__in=[each.task_id for each in named]):
            own = trigger_of(task)
            for number in range(100):
                at = SINCE + number * HOUR - INSTANT
                count = own.count_between(at, at + HOUR, cap=10**6)
                assert count == schedule.trigger.count_between(at, at + HOUR, cap=10**6), (schedule.fields, number)
    every = tasks_with(EVERYTHING, schedules(EVERYTHING, since=SINCE, until=UNTIL, named=999), limit=999)
    assert len({each.task_id for each in every}) == len(every) == sum(each.task_count for each in found)


def test_the_tasks_of_an_hour_are_found_from_what_was_read_for_the_map() -> None:
    for _ in range(2):
        varied_tasks()
    among = schedules(EVERYTHING, since=SINCE, until=UNTIL, named=200)
    for number in (0, 2, 3, 21, 47):
        fired = partial(tasks_that_fire, EVERYTHING, since=SINCE + number * HOUR, until=SINCE + (number + 1) * HOUR)
        alone = fired(limit=200)
        assert alone == fired(limit=200, among=among) != []
        counts = [each.count for each in alone]
        assert counts == sorted(counts, reverse=True)
        assert [each.count for each in fired(limit=3)] == counts[:3]


def test_counting_knows_no_task() -> None:
    for trigger in ({"trigger": "cron", "cron_expression": "15 * * * *"}, {"trigger": "once", "run_at": SINCE}):
        for _ in range(3):
            make_task(**trigger)
    counted = schedules(EVERYTHING, since=SINCE, until=UNTIL)
    assert [(each.task_count, list(each.task_ids)) for each in counted] == [(3, []), (3, [])]


def test_counting_goes_by_the_indexes_that_are_made_for_it() -> None:
    make_task(trigger="cron", cron_expression="15 * * * *")
    make_task(trigger="interval", every_seconds=60)
    conn = callers_connection()
    params = {**EVERYTHING.params, "since": SINCE, "until": UNTIL, "named": 0}
    with conn.transaction():
        # Of a table this small no index, or any, would be used otherwise.
        for other_way in ("enable_seqscan", "enable_bitmapscan"):
            conn.execute(f"SET LOCAL {other_way} = off".encode())
        plain, others = (
            "\n".join(row[0] for row in conn.execute(f"EXPLAIN {statement}".encode(), params).fetchall())
            for statement in (_PLAIN, _OTHERS)
        )
        # Nor this one, rather than those that lead to the same few rows.
        conn.execute("ALTER TABLE rota_stat_hour DROP CONSTRAINT rota_stat_hour_pkey")
        conn.execute("DROP INDEX rota_stat_hour_hour")
        chart = conn.execute(
            "EXPLAIN SELECT sum(count) FROM rota_stat_hour WHERE task_id = coalesce(%s::int, 0) AND hour >= %s",
            [None, SINCE],
        ).fetchall()
    assert "Index Only Scan using rota_task_plain_cron" in plain
    assert "Index Only Scan using rota_task_plain_interval" in plain
    assert "rota_task_other_schedule" in others
    assert "rota_stat_hour_all" in "\n".join(row[0] for row in chart)
