"""What the API says of a trigger before it is stored."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from scheduling.models import Calendar, CalendarRule, Task
from scheduling.services import find_problems
from scheduling.services.preview import preview_task
from tests.factories import make_namespace, make_task
from tests.web.api.client import Client

pytestmark = pytest.mark.django_db

NIGHTLY = {
    "trigger": "cron",
    "cron_expression": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "after": "2026-03-28T12:00:00Z",
}


def test_a_day_on_which_the_clock_changes_is_marked_and_explained(api: Client) -> None:
    body = api.post("tasks/preview/", {**NIGHTLY, "count": 2, "viewer_timezone": "Asia/Shanghai"}).ok()
    assert body["words"] == "At 02:30"
    assert body["fires_per_day"] == 1
    moved, ordinary = body["fires"]
    assert (moved["at"], moved["local"], moved["viewer"]) == (
        "2026-03-29T01:00:00Z",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T09:00:00+08:00",
    )
    assert moved["marks"] == ["clock_change", "moved"]
    assert moved["notes"] == [
        "The clock changes on this day, from UTC+01:00 to UTC+02:00.",
        "02:30 does not exist on this day; it runs at 03:00.",
    ]
    assert ordinary["marks"] == []


def test_a_local_time_that_is_skipped_is_named(api: Client) -> None:
    body = api.post("tasks/preview/", {**NIGHTLY, "dst_gap": "skip", "count": 1}).ok()
    assert (body["left_out"], body["fires"][0]["at"]) == (["2026-03-29T02:30:00"], "2026-03-30T00:30:00Z")


def test_a_local_time_that_comes_twice_says_which_of_the_two_it_is(api: Client) -> None:
    body = api.post("tasks/preview/", {**NIGHTLY, "after": "2026-10-24T12:00:00Z", "dst_fold": "both", "count": 2}).ok()
    assert [fire["marks"] for fire in body["fires"]] == [
        ["clock_change", "first_passage"],
        ["clock_change", "second_passage"],
    ]


def test_a_tick_that_a_calendar_blacks_out_is_marked(api: Client) -> None:
    calendar = Calendar.objects.create(namespace=make_namespace(), name="holidays")
    CalendarRule.objects.create(calendar=calendar, kind="dates", first_day="2026-03-30", note="moving house")
    sent = {**NIGHTLY, "namespace": "default", "calendars": ["holidays"], "count": 3}
    fires = api.post("tasks/preview/", sent).ok()["fires"]
    assert ["blackout" in fire["marks"] for fire in fires] == [False, True, False]
    assert fires[1]["notes"] == ["Does not run: calendar “holidays”, moving house."]
    task = make_task(**{name: value for name, value in NIGHTLY.items() if name != "after"})
    task.calendars.add(calendar)
    stored = api.get(f"tasks/{task.pk}/preview/?count=3&after=2026-03-28T12:00:00Z").ok()["fires"]
    assert stored == fires


def test_calendars_without_their_namespace_are_refused(api: Client) -> None:
    assert "namespace" in api.post("tasks/preview/", {**NIGHTLY, "calendars": ["holidays"]}).problems()


def test_jitter_is_mentioned(api: Client) -> None:
    body = api.post("tasks/preview/", {**NIGHTLY, "jitter_seconds": 90}).ok()
    assert body["notes"] == ["Each tick starts up to 90 seconds later, always the same for a tick."]


def test_the_times_of_an_unsaved_hashed_expression_are_said_to_be_an_example(api: Client) -> None:
    hashed = {"trigger": "cron", "cron_expression": "H 2 * * *"}
    body = api.post("tasks/preview/", hashed).ok()
    assert (body["words"], len(body["notes"])) == ("H 2 * * *", 1)
    task = make_task(**hashed)
    assert preview_task(task).notes == []


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("cron_expression", {"cron_expression": "0 0 30 2 *"}),
        ("timezone", {"timezone": "Europe/Atlantis"}),
        ("viewer_timezone", {"viewer_timezone": "Europe/Atlantis"}),
        ("ends_at", {"starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}),
    ],
)
def test_what_is_wrong_stands_under_its_field(api: Client, field: str, wrong: dict[str, str]) -> None:
    assert list(api.post("tasks/preview/", {**NIGHTLY, **wrong}).problems()) == [field]


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("0 0 30 2 *", "“0 0 30 2 *” never fires: there is no such day."),
        ("61 * * * *", "The minute field cannot be “61”; it takes 0–59, lists, ranges and steps."),
    ],
)
def test_preview_form_api_and_command_say_the_same_sentence(api: Client, expression: str, sentence: str) -> None:
    wrong = {"trigger": "cron", "cron_expression": expression}
    assert api.post("tasks/preview/", wrong).problems() == {"cron_expression": [sentence]}
    sent = {**wrong, "name": "never", "handler": "shell", "params": {"command": "true"}}
    assert api.post("tasks/", sent).problems() == {"cron_expression": [sentence]}
    # What the task form shows.
    task = Task(**sent, namespace=make_namespace())
    assert [problem.message for problem in find_problems(task)] == [sentence]
    with pytest.raises(CommandError) as raised:
        call_command("preview", "--cron", expression)
    assert str(raised.value) == sentence
