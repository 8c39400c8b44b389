"""What is wrong is refused with the name of its field, and nothing is half-saved."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Namespace, User
from accounts.roles import Role
from scheduling.models import Task, TaskInstance, TaskRevision
from tests.factories import make_task, make_user
from tests.processes import functions  # noqa: F401 - importing registers tests.divide
from tests.support.threads import at_once
from tests.web.api.client import Answer, Client, client_of

SOUND: dict[str, Any] = {"name": "sound", "handler": "shell", "params": {"command": "true"}}
CRON = {"trigger": "cron", "cron_expression": "0 0 * * *"}

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("cron_expression", {"trigger": "cron", "cron_expression": "61 * * * *"}),
    ("cron_expression", {"trigger": "cron", "cron_expression": ""}),
    ("cron_expression", {"trigger": "cron", "cron_expression": "every day"}),
    ("cron_expression", {"trigger": "cron", "cron_expression": "0 0 0 1 1 ? 1999"}),
    ("timezone", {**CRON, "timezone": "Mars/Olympus"}),
    ("trigger", {"trigger": "moon"}),
    ("every_seconds", {"trigger": "interval"}),
    ("every_seconds", {"trigger": "interval", "every_seconds": 0}),
    ("every_seconds", {"trigger": "interval", "every_seconds": 10**12}),
    ("every_seconds", {"trigger": "interval", "every_seconds": "often"}),
    ("run_at", {"trigger": "once"}),
    ("run_at", {"trigger": "once", "run_at": "2001-01-01T00:00:00Z"}),
    ("run_at", {"trigger": "once", "run_at": "2030-01-01T00:00:00"}),
    ("run_at", {"trigger": "once", "run_at": "tomorrow"}),
    ("ends_at", {**CRON, "starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"}),
    ("ends_at", {**CRON, "starts_at": "2030-01-02T01:00:00Z", "ends_at": "2030-01-02T23:00:00Z"}),
    ("starts_at", {**CRON, "starts_at": "0001-01-01T00:00:00Z"}),
    ("ends_at", {**CRON, "ends_at": "9999-12-31T23:59:59Z"}),
    ("run_at", {"trigger": "once", "run_at": "9999-12-31T23:59:59Z"}),
    ("anchor_at", {"trigger": "interval", "every_seconds": 60, "anchor_at": "0001-01-01T00:00:00Z"}),
    ("handler", {"handler": "htpp"}),
    ("handler", {"handler": ""}),
    ("params", {"params": {}}),
    ("params", {"params": ["true"]}),
    ("params", {"params": None}),
    ("params", {"params": {"command": "a\0b"}}),
    ("params", {"params": {"command": "true", "\0": 1}}),
    ("params", {"handler": "python", "params": {"function": "no.such.function"}}),
    ("params", {"handler": "python", "params": {"function": "tests.divide", "kwargs": {"by": "x"}}}),
    ("name", {"name": "a/b"}),
    ("name", {"name": " "}),
    ("name", {"name": "x" * 201}),
    ("handler", {"handler": []}),
    ("description", {"description": "a\0b"}),
    ("namespace", {"namespace": "nowhere"}),
    ("namespace", {"namespace": 1}),
    ("namespace", {"namespace": None}),
    ("max_attempts", {"max_attempts": 0}),
    ("priority", {"priority": 101}),
    ("queue", {"queue": "two words"}),
    ("queue", {"queue": "node:"}),
    ("overlap", {"overlap": "maybe"}),
    ("timeout_seconds", {"timeout_seconds": 0}),
    ("crom_expression", {"crom_expression": "0 0 * * *"}),
]


@pytest.mark.parametrize(("field", "wrong"), REFUSED)
def test_a_definition_that_is_wrong_is_refused_with_the_field(api: Client, field: str, wrong: dict[str, Any]) -> None:
    problems = api.post("tasks/", {**SOUND, **wrong}).problems()
    assert field in problems, problems
    assert problems[field]
    assert not Task.objects.exists()


@pytest.mark.parametrize(("field", "wrong"), [case for case in REFUSED if case[0] in {"params", "timezone"}])
def test_an_edit_that_is_wrong_leaves_the_task_as_it_was(api: Client, field: str, wrong: dict[str, Any]) -> None:
    task = make_task()
    before = api.get(f"tasks/{task.pk}/").ok()
    assert field in api.request("PATCH", f"tasks/{task.pk}/", {"priority": 5, **wrong}).problems()
    assert api.get(f"tasks/{task.pk}/").ok() == before
    assert TaskRevision.objects.filter(task=task).count() == 1


def test_everything_that_is_wrong_is_told_at_once_and_at_its_place(api: Client) -> None:
    make_task(name="taken")
    wrong = {
        "name": "taken",
        "handler": "http",
        "params": {"headers": {"a": 1}},
        "trigger": "cron",
        "cron_expression": "61 * * * *",
    }
    problems = api.post("tasks/", wrong).problems()
    assert set(problems) == {"name", "params", "cron_expression"}
    assert problems["params"]["url"] == ["Field required"]
    assert set(problems["params"]["headers"]) == {"a"}
    assert "exists" in problems["name"][0]


@pytest.mark.parametrize("path", ["tasks/99999999/", "instances/99999999/", "executions/99999999/", "pools/99999999/"])
def test_what_does_not_exist_is_said_in_the_words_of_people(api: Client, path: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.json) == (404, {"detail": "It does not exist, or you may not see it."})


def test_a_misspelt_handler_and_field_get_a_suggestion(api: Client) -> None:
    assert "“http”" in api.post("tasks/", {**SOUND, "handler": "htpp"}).problems()["handler"][0]
    assert "“max_attempts”" in api.post("tasks/", {**SOUND, "max_attempt": 2}).problems()["max_attempt"][0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"[" * 100_000,
        b'{"name": NaN}',
        b"\xff\xfe",
        b'{"name": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_object_is_refused_with_a_sentence(api: Client, body: bytes) -> None:
    problems = api.request("POST", "tasks/", body).problems()
    assert all(isinstance(value, str | list) for value in problems.values())


@pytest.mark.parametrize("value", [b"1e999", b'"\\ud800"', b"[" * 99 + b"]" * 99])
def test_json_that_postgresql_cannot_store_is_refused_with_its_field(api: Client, value: bytes) -> None:
    body = b'{"name": "a", "handler": "http", "params": {"url": "http://x.example", "json": ' + value + b"}}"
    assert set(api.request("POST", "tasks/", body).problems()) == {"params"}
    assert not Task.objects.exists()


def test_other_content_types_are_refused(api: Client) -> None:
    headers = {"Content-Type": "application/xml"}
    assert api.request("POST", "tasks/", b"<task/>", headers=headers).status in {400, 415}


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("state", "state=lost"),
        ("stat", "stat=failed"),
        ("task", "task=one"),
        ("task", "task=99999999999999999999"),
        ("task", "task=1.5"),
        ("origin", "origin=moon"),
        ("scheduled_from", "scheduled_from=yesterday"),
        ("scheduled_to", "scheduled_to=2026-01-01T00:00:00"),
        ("namespace", "namespace=%00"),
        ("cursor", "cursor=garbage"),
        ("cursor", "cursor=cD1hYmM%3D"),
        ("page_size", "page_size=0"),
        ("page_size", "page_size=many"),
    ],
)
def test_a_query_that_means_nothing_is_refused_with_the_parameter(api: Client, field: str, query: str) -> None:
    assert field in api.get(f"instances/?{query}").problems()


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("count", "tasks/{}/preview/?count=0"),
        ("count", "tasks/{}/preview/?count=101"),
        ("after", "tasks/{}/preview/?after=2026-01-01T00:00:00"),
        ("until", "tasks/{}/preview/?until=2026-01-01T00:00:00Z"),
    ],
)
def test_a_preview_that_cannot_be_is_refused(api: Client, field: str, path: str) -> None:
    task = make_task(trigger="interval", every_seconds=60)
    assert field in api.get(path.format(task.pk)).problems()


def test_a_preview_beyond_the_calendar_is_no_error_of_the_servers(api: Client) -> None:
    for trigger in (
        {"trigger": "interval", "every_seconds": 60},
        {"trigger": "cron", "cron_expression": "0 0 * * *"},
        {"trigger": "cron", "cron_expression": "0 0 * * *", "timezone": "Asia/Tokyo"},
    ):
        for after in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
            answer = api.post("tasks/preview/", {**trigger, "after": after})
            assert answer.status in {200, 400}, (trigger, after, answer.text[:300])


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("at", {"at": "2030-01-01T08:00:00"}),
        ("at", {"at": "soon"}),
        ("at", {"at": "9999-12-31T23:59:59Z"}),
        ("at", {"at": "0001-01-01T00:00:00Z"}),
        ("key", {"key": "k" * 201}),
        ("key", {"key": ""}),
        ("params", {"params": {"command": 1}}),
        ("params", {"params": {"comand": "true"}}),
        ("params", {"params": "true"}),
        ("param", {"param": {"command": "true"}}),
    ],
)
def test_a_run_that_is_wrong_is_refused_with_the_field(api: Client, field: str, body: dict[str, Any]) -> None:
    task = make_task()
    assert field in api.post(f"tasks/{task.pk}/run/", body).problems()
    assert not TaskInstance.objects.exists()


def test_the_params_of_a_run_are_refused_at_their_place(api: Client) -> None:
    task = make_task()
    problems = api.post(f"tasks/{task.pk}/run/", {"params": {"env": {"A": 1}}}).problems()
    assert set(problems["params"]["env"]) == {"A"}


@pytest.mark.parametrize("path", ["tasks/0/", "tasks/99999999999999999999/", "instances/7/", "executions/7/log/"])
def test_what_does_not_exist_is_missing(api: Client, path: str) -> None:
    answer = api.get(path)
    assert answer.status == 404
    assert set(answer.json) == {"detail"}


def test_an_address_that_does_not_exist_answers_in_json_and_names_the_one_with_a_slash(api: Client) -> None:
    answer = api.post("tasks", SOUND)
    assert answer.status == 404
    assert "/api/v1/tasks/" in answer.json["detail"]
    assert api.get("/api/v2/tasks/").status == 404
    assert set(api.get("/api/v2/tasks/").json) == {"detail"}


def test_a_method_that_does_not_exist_answers_with_a_sentence(api: Client) -> None:
    answer = api.request("DELETE", "nodes/")
    assert answer.status == 405
    assert set(answer.json) == {"detail"}


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_a_name_at_the_same_moment_one_is_told_that_it_is_taken(ada: User) -> None:
    def create() -> Answer:
        from django.db import connection

        try:
            return client_of(ada).post("tasks/", SOUND)
        finally:
            connection.close()

    for round_ in range(5):
        SOUND["name"] = f"contested {round_}"
        answers = at_once(create, create, create)
        assert sorted(answer.status for answer in answers) == [201, 400, 400]
        for answer in answers:
            if answer.status == 400:
                assert set(answer.json) == {"name"}
    SOUND["name"] = "sound"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_moment_at_the_end_of_the_calendar_is_refused_by_name_wherever_a_period_is_asked_for(
    api: Client, moment: str
) -> None:
    task = make_task(trigger="cron", cron_expression="0 * * * *")
    inside = "2026-11-01T00:00:00Z"
    asked = {"from": inside, "until": inside, ("from" if moment < inside else "until"): moment}
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    assert "between the years" in str(api.get(f"tasks/{task.pk}/ledger/?{query}").problems())
    assert "between the years" in str(api.post("backfills/", {"task": task.pk, **asked}).problems())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tasks/", SOUND),
        ("pools/", {"name": "database", "slots": 2}),
        ("calendars/", {"name": "office days", "rules": []}),
    ],
)
def test_without_a_namespace_called_default_it_has_to_be_said_where_something_belongs(
    history: None, path: str, body: dict[str, Any]
) -> None:
    api = client_of(make_user("ada", other=Role.ADMINISTRATOR))
    Namespace.objects.filter(name="default").delete()
    assert "default" in api.post(path, body).problems()["namespace"][0]
    assert api.post(path, {**body, "namespace": "other"}).status == 201
