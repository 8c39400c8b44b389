"""The first page: is all well, what is not, and what to do first."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.admin import patience
from accounts.models import User
from accounts.roles import Role
from scheduling.db import Connection, callers_connection
from scheduling.domain.states import EntryState
from scheduling.engine.fold_statistics import fold_statistics
from scheduling.engine.partitions import create_ahead, create_partitions
from scheduling.engine.schedulers import register_scheduler
from scheduling.models import QueueEntry, Scheduler, StatHour, Task, TaskClock
from scheduling.services import run_task_now
from scheduling.statistics import memo
from tests.factories import make_namespace, make_registration, make_task, make_user
from tests.web.api.work import ended, free_task, running
from workers.domain.states import ExecutionState
from workers.models import Node

pytestmark = pytest.mark.django_db

INDEX, PARTS = "/admin/", "/admin/dashboard/"


def text_of(client: Client, address: str = INDEX) -> str:
    """The page as it is read: without tags, and with single spaces."""
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def html_of(client: Client, address: str = INDEX) -> str:
    """The page as it is."""
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def some_history() -> tuple[Task, Task]:
    """A task that failed once in three, and one that never did."""
    shaky, sound = free_task(name="shaky"), free_task(name="sound")
    for state in (ExecutionState.SUCCEEDED, ExecutionState.FAILED, ExecutionState.SUCCEEDED):
        ended(shaky, state)
    ended(sound)
    fold_statistics(callers_connection())
    return shaky, sound


def all_alive() -> None:
    """A scheduler and a worker."""
    register_scheduler(callers_connection(), name="here", host="here", pid=1, version="1")
    make_registration(callers_connection())


def test_the_bare_address_of_the_server_leads_to_the_first_page(root: Client) -> None:
    assert root.get("/").headers["Location"] == INDEX


def test_a_fresh_installation_shows_numbered_steps_and_no_chart(root: Client) -> None:
    page = html_of(root)
    for step in ("Start a scheduler", "Start a worker", "Create a task", "Let it run"):
        assert step in page
    assert "manage.py runscheduler" in page
    assert "manage.py runworker" in page
    assert 'href="/admin/scheduling/task/add/"' in page
    assert "rota-step-done" not in page
    assert "<svg" not in page.split("rota-dashboard")[1]


def test_each_step_is_ticked_when_it_is_done(root: Client) -> None:
    register_scheduler(callers_connection(), name="here", host="here", pid=1, version="1")
    assert html_of(root).count("rota-step-done") == 1
    make_registration(callers_connection())
    assert html_of(root).count("rota-step-done") == 2
    make_task()
    assert html_of(root).count("rota-step-done") == 3
    ended()
    fold_statistics(callers_connection())
    assert "What to do first" not in html_of(root)


def test_somebody_who_may_add_no_task_is_told_who_may(login: Callable[[User], Client]) -> None:
    page = html_of(login(make_user(default=Role.VIEWER)))
    assert "An administrator of your namespace can create one." in page
    assert 'href="/admin/scheduling/task/add/"' not in page


def test_all_is_well_while_everything_lives_and_nothing_failed(root: Client) -> None:
    ended()
    fold_statistics(callers_connection())
    all_alive()
    page = text_of(root)
    assert "All is well" in page
    assert "needs a look" not in page


@pytest.mark.parametrize(
    ("model", "sentence"),
    [(Scheduler, "No scheduler is alive: nothing becomes due."), (Node, "No worker is alive: nothing runs.")],
)
def test_what_is_missing_is_said_with_what_to_do(root: Client, model: type[Scheduler | Node], sentence: str) -> None:
    ended()
    fold_statistics(callers_connection())
    all_alive()
    model.objects.all().delete()
    page = text_of(root)
    assert "One thing needs a look" in page
    assert sentence in page
    assert "All is well" not in page


def test_a_worker_that_went_silent_is_news_for_a_day(root: Client) -> None:
    ended()
    fold_statistics(callers_connection())
    all_alive()
    silent = Node.objects.order_by("pk")[0]
    Node.objects.filter(pk=silent.pk).update(last_seen_at=timezone.now() - timedelta(hours=2), state="online")
    assert "1 worker went silent within the last day." in text_of(root)
    Node.objects.filter(pk=silent.pk).update(last_seen_at=timezone.now() - timedelta(days=2))
    assert "went silent" not in text_of(root)


def test_what_a_limit_holds_back_is_no_lack_of_slots_whatever_else_is_ready(root: Client) -> None:
    ended()
    fold_statistics(callers_connection())
    all_alive()
    held, short = (run_task_now(free_task(name=name)) for name in ("held", "short"))
    entries = QueueEntry.objects.filter(instance_id=held.pk)
    hour_ago = timezone.now() - timedelta(hours=1)
    entries.update(run_at=hour_ago, sort_key=hour_ago, state=EntryState.WAITING, gate=1)
    assert QueueEntry.objects.get(instance_id=short.pk).state == EntryState.READY
    assert "too few free slots" not in text_of(root)
    entries.update(state=EntryState.READY)
    assert "Work has been waiting for 1 h" in text_of(root)


def test_failures_of_the_last_hour_are_in_the_list_that_they_lead_to_however_old_their_tick(root: Client) -> None:
    failed = ended(free_task(name="of long ago"), ExecutionState.FAILED)
    all_alive()
    long_ago = timezone.now() - timedelta(days=5)
    create_partitions(callers_connection(), [long_ago.date()])
    callers_connection().execute("UPDATE rota_instance SET scheduled_for = %s WHERE id = %s", [long_ago, failed.pk])
    (link,) = re.findall(r'href="([^"]+)"[^>]*>(?:(?!</a>).)*Failed in the last hour', html_of(root), re.DOTALL)
    assert f"#{failed.pk}" in text_of(root, link.replace("&amp;", "&"))


def test_an_overdue_tick_is_a_lag_of_the_schedulers(root: Client) -> None:
    ended()
    fold_statistics(callers_connection())
    all_alive()
    task = make_task(trigger="interval", every_seconds=3600)
    TaskClock.objects.filter(task=task).update(next_run_at=timezone.now() - timedelta(minutes=5), dirty=False)
    assert re.search(r"A tick has been waiting for 5 min \d+ s to be fired\.", text_of(root))


def test_the_numbers_of_the_strip_lead_to_the_lists_behind_them(root: Client) -> None:
    some_history()
    running()
    page = html_of(root)
    found = {
        key: (address.replace("&amp;", "&"), number)
        for address, key, number in re.findall(
            r'<a href="([^"]+)" id="vital-(\w+)".*?<strong>([^<]*)</strong>', page, re.DOTALL
        )
    }
    assert list(found) == ["schedulers", "workers", "lag", "depth", "oldest", "running", "failures"]
    assert found["running"][1] == "1"
    assert found["failures"][1] == "1"
    for address, _number in found.values():
        assert root.get(address).status_code == 200
    for key in ("running", "failures"):
        assert len(root.get(found[key][0]).context["cl"].result_list) == 1


def test_a_failure_is_shown_with_its_sentence_and_a_link(root: Client) -> None:
    shaky, _sound = some_history()
    page = html_of(root)
    failure = page.split("failures-title")[2]
    assert f'href="/admin/scheduling/task/{shaky.pk}/change/"' in failure
    assert re.search(r'href="/admin/scheduling/taskinstance/\d+/change/"', failure)
    assert "1 instance failed in the last hour." in page


def test_charts_count_what_ended_and_tables_say_the_same(root: Client) -> None:
    some_history()
    for span in ("24h", "7d", "30d"):
        chart = root.get(INDEX, {"range": span}).context["chart"]
        assert (chart.total.succeeded, chart.total.failed, chart.ratio) == (3, 1, "75 %")
        assert sum(bar.counts.total for bar in chart.bars) == 4
    page = html_of(root)
    assert page.count('class="rota-fill-failed" x=') == 1
    table = page.split('id="outcomes-table"')[1].split("</details>")[0]
    # At the full hour they may lie in two slots.
    assert sum(int(number) for number in re.findall(r"<td>(\d+)</td>", table)) == 4
    assert 'aria-current="true">24 hours' in page


def test_tasks_are_named_by_how_often_they_fail_and_how_long_they_take(root: Client) -> None:
    some_history()
    context = root.get(INDEX).context
    assert ["shaky" in line.task for line in context["failing"]] == [True]
    assert context["failing"][0].ratio == "66.7 %"
    assert len(context["slowest"]) == 2


def test_a_range_that_nobody_knows_is_a_day(root: Client) -> None:
    some_history()
    assert root.get(INDEX, {"range": "1y"}).context["span"] == "24h"


def test_a_time_without_an_end_says_so(root: Client) -> None:
    StatHour.objects.create(
        task_id=0,
        namespace_id=make_namespace().pk,
        hour=(timezone.now() - timedelta(days=20)).astimezone(UTC).replace(minute=0, second=0, microsecond=0),
        outcome="succeeded",
        bucket=3,
        count=5,
        lasted=timedelta(seconds=1),
        waited=timedelta(0),
    )
    page = text_of(root)
    assert "Nothing ended in this time." in page
    assert "Nothing failed within 30 days." in page
    assert "No task ran in this time." in page
    assert "Nothing fires within the next hour." in page
    assert "Nothing ended in this time." not in text_of(root, f"{INDEX}?range=30d")


def test_the_next_hour_names_what_fires_and_counts_it_by_minute(root: Client) -> None:
    some_history()
    task = make_task(name="soon", trigger="interval", every_seconds=600)
    TaskClock.objects.filter(task=task).update(next_run_at=timezone.now() + timedelta(minutes=5), dirty=False)
    line = root.get(INDEX).context["timeline"]
    # Its own tick of the clock, and those of the interval after it.
    assert 6 <= sum(minute.count for minute in line.minutes) <= 7
    assert "soon" in line.named[0].task


def test_what_belongs_to_others_is_on_no_part_of_the_page(login: Callable[[User], Client]) -> None:
    task = free_task(name="withheld")
    ended(task, ExecutionState.FAILED)
    make_task(name="withheld-too", trigger="interval", every_seconds=60)
    TaskClock.objects.update(next_run_at=timezone.now() + timedelta(minutes=5), dirty=False)
    own = free_task(name="own", namespace=make_namespace("elsewhere"))
    ended(own)
    fold_statistics(callers_connection())
    stranger = login(make_user(elsewhere=Role.VIEWER))
    for address in (INDEX, PARTS, f"{PARTS}?part=now"):
        assert "withheld" not in html_of(stranger, address)
    context = stranger.get(INDEX).context
    assert context["chart"].total.total == 1
    assert next(vital.value for vital in context["vitals"] if vital.key == "failures") == "0"


@pytest.mark.parametrize("address", [PARTS, "/admin/fleet-calendar/"])
def test_nobody_reads_it_without_a_log_in(login: Callable[[User], Client], address: str) -> None:
    assert Client().get(address).status_code == 302
    assert login(make_user(staff=False)).get(address).status_code == 302


def test_the_light_answer_has_what_changes_and_reads_no_statistics_by_task(root: Client) -> None:
    some_history()
    with CaptureQueriesContext(connection) as queries:
        light = html_of(root, f"{PARTS}?part=now")
    assert not any("rota_stat_day" in query["sql"] for query in queries)
    assert re.findall(r'data-live-part="(\w+)"', light) == ["strip", "steps", "failures"]
    parts = re.findall(r'data-live-part="(\w+)"', html_of(root, PARTS))
    assert parts == re.findall(r'data-live-part="(\w+)"', html_of(root))
    assert parts == ["strip", "steps", "outcomes", "failures", "tasks", "upcoming"]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_too_slow_is_said_and_given_up_soon(
    conn: Connection, login: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.2)
    root = login(make_user(superuser=True))
    with conn.transaction():
        conn.execute("LOCK TABLE rota_stat_hour IN ACCESS EXCLUSIVE MODE")
        page = html_of(root)
        assert "The database does not answer. This page tries again by itself." in page
        assert 'data-live="/admin/dashboard/' in page
        answer = root.get(PARTS)
        assert (answer.status_code, answer.content) == (503, b"The database does not answer.")
        calendar = root.get("/admin/fleet-calendar/")
        assert calendar.status_code == 503
        assert '<meta http-equiv="refresh" content="5">' in calendar.content.decode()
        assert calendar["Retry-After"] == "5"
    assert root.get(PARTS).status_code == 200
    assert "What to do first" in html_of(root)
    assert root.get("/admin/fleet-calendar/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_tables_that_take_too_long_are_left_out_and_the_rest_of_the_page_is_not(
    conn: Connection, login: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.2)
    create_ahead(conn, now=datetime.now(UTC), days=1)
    some_history()
    root = login(make_user(superuser=True))
    with conn.transaction():
        conn.execute("LOCK TABLE rota_stat_day IN ACCESS EXCLUSIVE MODE")
        page = html_of(root)
    assert "There are too many tasks to compare them over this time" in page
    assert "Tasks that fail most" not in page
    assert root.get(INDEX).context["chart"].total.total == 4
    assert "1 instance failed in the last hour." in page


def test_what_was_expensive_is_remembered_and_what_was_cheap_or_failed_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def find() -> str:
        asked.append("again")
        if len(asked) == 1:
            raise LookupError
        return f"answer {len(asked)}"

    known: memo.Memo[str] = memo.Memo()
    with pytest.raises(LookupError):
        known.get("question", find)
    assert [known.get("question", find) for _ in range(2)] == ["answer 2", "answer 3"]
    monkeypatch.setattr(memo, "CHEAP_SECONDS", -1)
    monkeypatch.setattr(memo, "TIMES", 1e12)
    assert [known.get("question", find) for _ in range(2)] == ["answer 4", "answer 4"]
    assert known.get("another question", find) == "answer 5"


def test_names_are_text_whatever_is_in_them(root: Client) -> None:
    ended(free_task(name="<script>alert(1)</script>"), ExecutionState.FAILED)
    fold_statistics(callers_connection())
    assert "<script>alert" not in html_of(root)


def test_the_moment_of_the_numbers_is_the_databases(root: Client) -> None:
    shown = root.get(PARTS).context["measured_at"]
    assert datetime.strptime(shown, "%H:%M:%S").replace(tzinfo=UTC)
