"""Pools over the API, the tasks that use them, and what their instances wait for."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from scheduling.db import callers_connection
from scheduling.models import Pool, Task, TaskInstance
from scheduling.services import run_task_now
from tests.factories import make_namespace, make_registration, make_task, make_user
from tests.web.api.client import Client, client_of
from tests.web.api.work import running


def made(api: Client, **over: Any) -> Any:
    """A stored pool, as the API shows it."""
    return api.post("pools/", {"name": "database", "slots": 4, **over}).created()


def stored(**over: Any) -> Pool:
    """A stored pool."""
    return Pool.objects.create(**{"namespace": make_namespace(), "name": "database", "slots": 2, **over})


def test_a_pool_is_made_changed_and_shown(api: Client) -> None:
    pool = made(api, description="four connections")
    shown = [pool[name] for name in ("namespace", "slots", "used", "free", "waiting", "tasks")]
    assert shown == ["default", 4, 0, 4, 0, []]
    path = f"pools/{pool['id']}/"
    assert api.get(path).ok() == pool
    assert api.request("PATCH", path, {"slots": 0}).ok()["free"] == 0
    replaced = api.request("PUT", path, {"name": "renamed"}).ok()
    assert (replaced["name"], replaced["slots"], replaced["description"]) == ("renamed", 1, "")
    assert [each["name"] for each in api.results("pools/?name=renamed")] == ["renamed"]
    assert api.get("pools/?namespace=other").status == 400
    assert "name_" in str(api.get("pools/?name_=x").problems())
    assert api.request("DELETE", path).status == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [({"name": ""}, "name"), ({"name": "x", "slots": -1}, "slots"), ({"name": "x", "slot": 1}, "slot"), ({}, "name")],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(api: Client, body: Any, field: str) -> None:
    assert field in api.post("pools/", body).problems()
    assert not Pool.objects.exists()


def test_a_name_is_taken_once_in_a_namespace(api: Client) -> None:
    made(api)
    assert list(api.post("pools/", {"name": "database"}).problems()) == ["name"]


def test_a_pool_that_a_task_uses_stays(api: Client) -> None:
    pool = stored()
    make_task(name="report", pool=pool)
    refused = api.request("DELETE", f"pools/{pool.pk}/").problems()
    assert refused == {"detail": "“database” is used by “report”; take it off there first."}
    assert api.get(f"pools/{pool.pk}/").ok()["tasks"] == ["report"]


def test_who_may_only_look_changes_no_pool_and_strangers_see_none(api: Client) -> None:
    pool = stored()
    viewer, stranger = client_of(make_user(default=Role.VIEWER)), client_of(make_user(other=Role.ADMINISTRATOR))
    assert viewer.get(f"pools/{pool.pk}/").ok()["name"] == "database"
    assert viewer.request("PATCH", f"pools/{pool.pk}/", {"slots": 9}).status == 403
    assert viewer.post("pools/", {"name": "x"}).status == 403
    assert stranger.get(f"pools/{pool.pk}/").status == 404
    assert stranger.results("pools/") == []


def test_a_task_names_its_pool(api: Client) -> None:
    stored(name="a"), stored(name="b"), stored(name="c", namespace=make_namespace("other"))
    body = {"name": "report", "handler": "shell", "params": {"command": "true"}, "pool": "a", "pool_weight": 2}
    task = api.post("tasks/", body).created()
    assert (task["pool"], task["pool_weight"]) == ("a", 2)
    path = f"tasks/{task['id']}/"
    assert api.request("PATCH", path, {"pool": "b"}).ok()["pool"] == "b"
    assert api.request("PUT", path, task).ok()["pool"] == "a"
    assert [each["name"] for each in api.results("tasks/?pool=a")] == ["report"]
    problems = api.request("PATCH", path, {"pool": "c"}).problems()
    assert problems == {"pool": ["There is no pool “c” in this namespace."]}
    assert list(api.request("PATCH", path, {"pool_weight": 3}).problems()) == ["pool_weight"]
    assert api.request("PATCH", path, {"pool": None}).ok()["pool"] is None


def test_policies_are_refused_beside_their_fields(api: Client) -> None:
    body = {
        "name": "report",
        "handler": "shell",
        "params": {"command": "true"},
        "retry_backoff": "list",
        "retry_on": ["9xx"],
        "concurrency_key": "{customer}",
        "soft_timeout_seconds": 9,
        "timeout_seconds": 9,
    }
    assert set(api.post("tasks/", body).problems()) == {
        "retry_delays",
        "retry_on",
        "concurrency_key",
        "soft_timeout_seconds",
    }
    assert not Task.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_instance_says_gate_by_gate_why_it_waits(api: Client) -> None:
    make_registration(callers_connection())
    pool = stored(slots=1)
    task = make_task(name="report", overlap="allow", pool=pool)
    first = run_task_now(task)
    second = api.post(f"tasks/{task.pk}/run/").created()
    second = api.get(f"instances/{second['id']}/").ok()
    assert (second["state"], second["waiting_for"], second["next_attempt_at"]) == ("waiting", "pool", None)
    assert [(gate["gate"], gate["passed"]) for gate in second["waiting"]] == [
        ("time", True),
        ("pool", False),
        ("worker", True),
    ]
    assert second["waiting"][1] == {
        "gate": "pool",
        "passed": False,
        "sentence": "1 of 1 slots of the pool “database” are used; it takes 1.",
        "opens_at": None,
        "holders": [{"instance": first.pk, "task_name": "report", "state": "ready"}],
        "more_holders": 0,
    }
    listed = {each["id"]: each["waiting_for"] for each in api.results("instances/?pool=database")}
    assert listed == {first.pk: None, second["id"]: "pool"}
    assert api.results("instances/?pool=other") == []
    shown = api.get(f"pools/{pool.pk}/").ok()
    assert (shown["used"], shown["free"], shown["waiting"]) == (1, 0, 1)


def test_a_kill_follows_a_cancel_and_says_who_and_why(api: Client, ada: User) -> None:
    claimed = running()
    path = f"instances/{claimed.instance_id}/"
    told = api.post(f"{path}cancel/", {"comment": "wrong month"})
    assert (told.status, told.json["result"]) == (202, "requested")
    shown = api.get(path).ok()
    assert (shown["kill_requested"], shown["cancel_message"]) == (False, "Cancelled by ada. wrong month")
    killed = api.post(f"{path}cancel/", {"kill": True}).json["instance"]
    assert killed["kill_requested"]
    assert killed["cancel_message"]
    assert "kil" in api.post(f"{path}cancel/", {"kil": True}).problems()


def test_the_instances_of_a_backfill_say_so_and_are_found_by_it(api: Client) -> None:
    claimed = running()
    TaskInstance.objects.filter(pk=claimed.instance_id).update(backfill_id=7)
    assert [each["backfill"] for each in api.results("instances/?backfill=7")] == [7]
    assert api.results("instances/?backfill=8") == []
