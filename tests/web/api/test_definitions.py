"""A set of definitions goes in and comes out whole, as YAML or JSON."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from scheduling.models import Task
from tests.factories import make_namespace, make_task, make_user
from tests.web.api.client import Client, client_of

TASK: dict[str, Any] = {"kind": "task", "name": "nightly", "handler": "shell", "params": {"command": "true"}}
YAML = (
    b"kind: calendar\nname: sundays\nrules: [{kind: weekdays, weekdays: [7]}]\n---\n"
    b"kind: task\nname: nightly\nhandler: shell\nparams: {command: 'true'}\ncalendars: [sundays]\n"
    b"trigger: cron\ncron_expression: '@daily'\n"
)


def test_json_is_applied_and_a_second_time_changes_nothing(api: Client) -> None:
    first = api.post("definitions/apply/?owner=ops", [TASK]).ok()
    assert (first["created"], first["dry_run"]) == (1, False)
    assert first["objects"][0]["outcome"] == "created"
    assert "+name: nightly\n" in first["objects"][0]["diff"]
    assert Task.objects.get().owner == "ops"
    assert api.post("definitions/apply/", TASK).ok()["unchanged"] == 1


@pytest.mark.parametrize("kind", ["application/yaml", "application/x-yaml", "text/yaml"])
def test_yaml_is_applied_and_what_is_exported_is_the_same(api: Client, kind: str) -> None:
    headers = {"Content-Type": kind}
    assert api.request("POST", "definitions/apply/", YAML, headers=headers).ok()["created"] == 2
    exported = api.get("definitions/export/?format=yaml")
    assert exported.headers["Content-Type"].startswith("application/yaml")
    again = api.request("POST", "definitions/apply/", exported.text.encode(), headers=headers).ok()
    assert again["unchanged"] == 2
    listed = api.get("definitions/export/?task=nightly").ok()
    assert [(each["kind"], each["name"]) for each in listed] == [("calendar", "sundays"), ("task", "nightly")]
    accepted = api.request("GET", "definitions/export/", headers={"Accept": "application/yaml"})
    assert accepted.text == exported.text


def test_one_bad_task_among_many_refuses_them_all(api: Client) -> None:
    many = [{**TASK, "name": f"task {number}"} for number in range(10)]
    body = api.post("definitions/apply/", [*many, {**TASK, "name": "bad", "handler": "htpp", "prority": 1}]).problems()
    assert "Nothing was applied" in body["detail"]
    assert [(each["document"], each["object"], each["field"]) for each in body["problems"]] == [
        ("11", "task default/bad", "prority"),
        ("11", "task default/bad", "handler"),
    ]
    assert not Task.objects.exists()


def test_a_dry_run_changes_nothing_and_prune_stays_with_its_owner(api: Client) -> None:
    make_task(name="old", owner="ops")
    make_task(name="theirs", owner="dev")
    dry = api.post("definitions/apply/?owner=ops&prune=true&dry_run=true", [TASK]).ok()
    assert (dry["created"], dry["pruned"], dry["dry_run"]) == (1, 1, True)
    assert set(Task.objects.values_list("name", flat=True)) == {"old", "theirs"}
    api.post("definitions/apply/?owner=ops&prune=true", [TASK]).ok()
    assert set(Task.objects.values_list("name", flat=True)) == {"nightly", "theirs"}
    assert "owner" in api.post("definitions/apply/?prune=true", [TASK]).problems()["problems"][0]["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"5", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"a": 1, "a": 2}']
)
def test_a_body_without_definitions_is_refused_with_a_sentence(api: Client, body: bytes) -> None:
    for kind in ("application/json", "application/yaml"):
        problems = api.request("POST", "definitions/apply/", body, headers={"Content-Type": kind}).problems()
        assert problems["detail"]


def test_a_parameter_that_does_not_exist_is_refused(api: Client) -> None:
    assert "dry_rum" in api.post("definitions/apply/?dry_rum=true", [TASK]).problems()
    assert "names" in api.get("definitions/export/?names=a").problems()
    assert not Task.objects.exists()


def test_each_sees_and_changes_only_what_is_theirs(api: Client, ada: User) -> None:
    make_task(name="hidden", namespace=make_namespace("other"))
    assert api.get("definitions/export/").ok() == []
    refused = api.post("definitions/apply/", {**TASK, "namespace": "other"}).problems()
    assert refused["problems"][0]["field"] == "namespace"
    viewer = client_of(make_user(default=Role.VIEWER))
    assert viewer.post("definitions/apply/", [TASK]).status == 403
    assert viewer.get("definitions/export/").status == 200
    assert Client().get("definitions/export/").status == 401
    assert Client().post("definitions/apply/", [TASK]).status == 401
