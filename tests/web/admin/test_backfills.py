"""The ledger's page, and backfills: dry run first, progress, stop."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from scheduling.db import own_connection
from scheduling.domain.states import Origin
from scheduling.engine.admit import admit
from scheduling.engine.backfill import advance_backfills
from scheduling.models import Backfill, QueueEntry, SchedulePeriod, Task, TaskInstance
from tests.factories import make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)

ASKED = {
    "from_at": "2024-03-01T00:00:00",
    "until_at": "2024-03-01T05:00:00",
    "reprocess": "none",
    "overlap": "queue_all",
    "max_parallel": "1",
}


def page(name: str, task: Task) -> str:
    """The address of a page of the task."""
    return reverse(f"admin:scheduling_task_{name}", args=[task.pk])


def text(response: Any) -> str:
    """What the page says, without its tags."""
    assert response.status_code == 200, response.status_code
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


@pytest.fixture
def hourly(root: Client) -> Task:
    """A task on the wall clock of Berlin."""
    return make_task(trigger="cron", cron_expression="0 * * * *", timezone="Europe/Berlin")


def advance() -> None:
    """One round of the schedulers' chore."""
    conn = own_connection("test")
    admit(conn, advance_backfills(conn).gates)
    conn.close()


def test_a_dry_run_names_the_ticks_on_the_wall_clock_of_the_task_and_stores_nothing(root: Client, hourly: Task) -> None:
    said = text(root.post(page("backfill", hourly), {**ASKED, "dry_run": ""}))
    assert "6 ticks would run." in said
    assert "2024-03-01 05:00:00 CET" in said
    assert not Backfill.objects.exists()


def test_what_was_seen_in_the_dry_run_is_started_and_shows_its_progress(root: Client, hourly: Task) -> None:
    assert 'name="start"' not in root.get(page("backfill", hourly)).content.decode(), "a dry run comes first"
    response = root.post(page("backfill", hourly), {**ASKED, "start": ""})
    backfill = Backfill.objects.get()
    assert response["Location"] == reverse("admin:scheduling_backfill_change", args=[backfill.pk])
    assert (backfill.from_at, backfill.total) == (datetime(2024, 2, 29, 23, tzinfo=UTC), 6)
    advance()
    TaskInstance.objects.filter(backfill_id=backfill.pk, scheduled_for=backfill.from_at).update(
        outcome="succeeded", finished_at=datetime.now(UTC)
    )
    QueueEntry.objects.filter(backfill_id=backfill.pk, scheduled_for=backfill.from_at).delete()
    shown = root.get(response["Location"])
    assert "1 of 6 ticks have ended (16 %)" in text(shown)
    address = re.search(r'href="([^"]*backfill=[^"]*)"', shown.content.decode())
    assert address is not None
    listed = root.get(address.group(1).replace("&amp;", "&"))
    assert len(listed.context["cl"].result_list) == 6
    assert str(backfill.pk) in text(root.get(reverse("admin:scheduling_backfill_changelist")))


def test_a_running_backfill_is_stopped_with_a_button(root: Client, hourly: Task) -> None:
    root.post(page("backfill", hourly), {**ASKED, "start": ""})
    advance()
    backfill = Backfill.objects.get()
    root.post(reverse("admin:scheduling_backfill_stop", args=[backfill.pk]))
    backfill.refresh_from_db()
    assert (backfill.state, QueueEntry.objects.count()) == ("stopped", 0)
    shown = root.get(reverse("admin:scheduling_backfill_change", args=[backfill.pk]))
    assert "6 of 6 ticks have ended" in text(shown)
    assert "stop_circle" not in shown.content.decode()


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"until_at": "2024-02-01T00:00:00"}, "before it begins"),
        ({"from_at": "2000-02-01T00:00:00"}, "one backfill takes at most 10000"),
        ({"from_at": "2024-03-31T02:30:00", "until_at": "2024-03-31T05:00:00"}, "interpreted in time zone"),
        ({"max_parallel": "3"}, "means one at once"),
        ({"from_at": ""}, "required"),
    ],
)
def test_what_cannot_be_done_is_said_at_its_field(root: Client, hourly: Task, over: dict[str, str], words: str) -> None:
    response = root.post(page("backfill", hourly), {**ASKED, **over, "start": ""})
    assert words in text(response)
    assert response.context["form"].errors
    assert not Backfill.objects.exists()


def test_a_viewer_may_look_and_not_start(login: Callable[[User], Client], hourly: Task) -> None:
    client = login(make_user(default=Role.VIEWER))
    assert client.get(page("backfill", hourly)).status_code == 403
    assert client.post(page("backfill", hourly), {**ASKED, "start": ""}).status_code == 403
    ledger = client.get(page("ledger", hourly))
    assert ledger.status_code == 200
    assert page("backfill", hourly) not in ledger.content.decode(), "what would be refused is not offered"
    operator = login(make_user(default=Role.OPERATOR))
    assert page("backfill", hourly) in operator.get(page("ledger", hourly)).content.decode()
    stranger = login(make_user(elsewhere=Role.ADMINISTRATOR))
    assert stranger.get(page("ledger", hourly)).status_code == 302


def test_the_ledger_is_linked_from_the_task_and_shows_what_is_to_come(root: Client, hourly: Task) -> None:
    assert page("ledger", hourly) in root.get(page("change", hourly)).content.decode()
    begins = datetime.now(UTC) + timedelta(days=400)
    query = {"from_at": f"{begins:%Y-%m-%dT%H:%M:%S}", "until_at": f"{begins + timedelta(hours=3):%Y-%m-%dT%H:%M:%S}"}
    response = root.get(page("ledger", hourly), query)
    assert [str(row["state"]).count("upcoming") for row in response.context["rows"]] == [1, 1, 1]


def test_a_mistake_in_a_period_stands_at_the_field_where_it_was_made(root: Client, hourly: Task) -> None:
    early = root.get(page("ledger", hourly), {"from_at": "0001-01-01T00:00", "until_at": "2026-11-01T00:00"})
    assert list(early.context["form"].errors) == ["from_at"]
    backwards = root.get(page("ledger", hourly), {"from_at": "2026-11-03T00:00", "until_at": "2026-11-01T00:00"})
    assert list(backwards.context["form"].errors) == ["until_at"]


def test_an_unexplained_tick_is_shown_loudly(root: Client, hourly: Task) -> None:
    SchedulePeriod.objects.filter(task=hourly).update(begins_at=datetime.now(UTC) - timedelta(hours=5))
    response = root.get(page("ledger", hourly))
    assert response.context["unexplained"] == 5
    assert "5 ticks are unexplained. This is a defect; please report it." in text(response)


def test_a_long_ledger_goes_on_where_the_page_ends(root: Client) -> None:
    task = make_task(trigger="cron", cron_expression="* * * * *")
    begins = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    query = {"from_at": f"{begins:%Y-%m-%dT%H:%M:%S}", "until_at": f"{begins + timedelta(hours=5):%Y-%m-%dT%H:%M:%S}"}
    first = root.get(page("ledger", task), query)
    following = first.context["following"]
    assert parse_qs(urlsplit(following).query)["until_at"] == [query["until_at"]]
    second = root.get(page("ledger", task) + following)
    ticks = [row["utc"] for response in (first, second) for row in response.context["rows"]]
    assert ticks == sorted(set(ticks))
    assert len(ticks) in (300, 301)
    assert second.context["following"] is None


def test_nonsense_in_the_address_of_the_ledger_is_said_and_not_a_crash(root: Client, hourly: Task) -> None:
    for query in ({"from_at": "x", "until_at": "y"}, {"after": "x"}, {"from_at": "2024-03-02T00:00"}):
        assert root.get(page("ledger", hourly), query).status_code == 200
    backwards = {"from_at": "2024-03-02T00:00", "until_at": "2024-03-01T00:00"}
    assert "before it begins" in text(root.get(page("ledger", hourly), backwards))
    assert root.get(reverse("admin:scheduling_task_ledger", args=[2**40])).status_code in (302, 404)


def test_an_instance_of_a_backfill_says_where_it_comes_from(root: Client, hourly: Task) -> None:
    root.post(page("backfill", hourly), {**ASKED, "start": ""})
    advance()
    assert set(TaskInstance.objects.values_list("origin", flat=True)) == {Origin.BACKFILL.value}
