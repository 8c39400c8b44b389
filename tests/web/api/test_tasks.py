"""Tasks are created, read, changed and deleted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Membership, User
from accounts.roles import Role
from scheduling.api.task_serializers import TaskSerializer
from scheduling.models import Task, TaskClock, TaskInstance, TaskRevision
from scheduling.services import delete_task
from tests.factories import make_namespace, make_task
from tests.processes import functions  # noqa: F401 - importing registers tests.divide
from tests.web.api.client import Client, client_of
from tests.web.api.work import ended, free_task
from workers.models import Connection

PARAMS: dict[str, dict[str, Any]] = {
    "http": {"method": "POST", "url": "https://reports.example/run", "json": {"kind": "daily"}},
    "shell": {"argv": ["echo", "hello"], "env": {"LANG": "C"}},
    "sql": {"connection": "warehouse", "statement": "SELECT 1"},
    "python": {"function": "tests.divide", "kwargs": {"by": 3}},
}


@pytest.mark.parametrize("handler", sorted(PARAMS))
def test_a_task_of_each_handler_is_stored_as_it_was_sent(api: Client, handler: str) -> None:
    Connection.objects.create(namespace=make_namespace(), name="warehouse", url="sqlite://")
    sent = {
        "name": f"nightly {handler}",
        "handler": handler,
        "params": PARAMS[handler],
        "trigger": "cron",
        "cron_expression": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "max_attempts": 3,
    }
    made = api.post("tasks/", sent).created()
    read = api.get(f"tasks/{made['id']}/").ok()
    assert read == made
    assert {name: read[name] for name in sent} == sent
    assert read["namespace"] == "default"
    assert read["version"] == 1
    assert read["state"] == "enabled"


def test_every_field_that_people_edit_is_in_the_api() -> None:
    editable = {field.name for field in Task._meta.fields if field.editable and not field.primary_key}
    writable = {name for name, field in TaskSerializer().fields.items() if not field.read_only}
    assert writable == editable - {"owner"} | {"calendars"}
    assert "owner" in TaskSerializer().fields


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_task_does_not_move_between_namespaces(ada: User, method: str) -> None:
    Membership.objects.create(user=ada, namespace=make_namespace("other"), role=Role.ADMINISTRATOR.value)
    task, api = make_task(name="same"), client_of(ada)
    shown = api.get(f"tasks/{task.pk}/").ok() if method == "PUT" else {}
    (sentence,) = api.request(method, f"tasks/{task.pk}/", {**shown, "namespace": "other"}).problems()["namespace"]
    assert sentence == "A task and its history stay in their namespace; make another task in the new one."
    assert api.get(f"tasks/{task.pk}/").ok()["namespace"] == "default"


def test_what_a_get_shows_can_be_put_back_and_changes_nothing(api: Client) -> None:
    task = make_task(name="same", trigger="interval", every_seconds=60, max_attempts=4)
    shown = api.get(f"tasks/{task.pk}/").ok()
    again = api.request("PUT", f"tasks/{task.pk}/", shown).ok()
    assert again == shown
    assert TaskRevision.objects.filter(task=task).count() == 1


@pytest.mark.parametrize(("given", "kept"), [(0.1, "0.1"), (90, "90"), (90.0, "90"), ("2.5", "2.5")])
def test_an_interval_is_a_number_to_the_millisecond_and_a_whole_one_has_no_fraction(
    api: Client, given: object, kept: str
) -> None:
    task = make_task(name="same", trigger="interval", every_seconds=60)
    shown = api.request("PATCH", f"tasks/{task.pk}/", {"every_seconds": given}).ok()
    assert json.dumps(shown["every_seconds"]) == kept
    assert json.dumps(Task.objects.get(pk=task.pk).every_seconds) == kept


@pytest.mark.parametrize("given", [0.05, 0.1234, True, "soon"])
def test_an_interval_that_is_too_short_or_too_fine_is_refused(api: Client, given: object) -> None:
    task = make_task(name="same", trigger="interval", every_seconds=60)
    problems = api.request("PATCH", f"tasks/{task.pk}/", {"every_seconds": given}).problems()
    assert set(problems) == {"every_seconds"}


def test_a_patch_changes_the_fields_it_names_and_no_other(api: Client) -> None:
    task = make_task(max_attempts=4, priority=7)
    body = api.request("PATCH", f"tasks/{task.pk}/", {"priority": -3}).ok()
    assert (body["priority"], body["max_attempts"], body["version"]) == (-3, 4, 2)


def test_a_patch_replaces_params_as_a_whole(api: Client) -> None:
    task = make_task(params={"command": "true", "env": {"A": "1"}})
    body = api.request("PATCH", f"tasks/{task.pk}/", {"params": {"command": "false"}}).ok()
    assert body["params"] == {"command": "false"}


def test_a_put_gives_defaults_to_what_it_leaves_out(api: Client) -> None:
    task = make_task(name="old", max_attempts=4, description="long", timeout_seconds=5, queue="reports")
    sent = {"name": "new", "handler": "shell", "params": {"command": "true"}}
    body = api.request("PUT", f"tasks/{task.pk}/", sent).ok()
    shown = [body[name] for name in ("name", "max_attempts", "description", "timeout_seconds", "queue")]
    assert shown == ["new", 1, "", None, "default"]


def test_a_put_neither_resumes_nor_moves_a_task_unless_it_says_so(api: Client) -> None:
    task = make_task(enabled=False, name="kept")
    sent = {"name": "kept", "handler": "shell", "params": {"command": "true"}}
    body = api.request("PUT", f"tasks/{task.pk}/", sent).ok()
    assert (body["enabled"], body["namespace"]) == (False, "default")
    assert api.request("PUT", f"tasks/{task.pk}/", {**sent, "enabled": True}).ok()["enabled"] is True


def test_a_put_without_its_required_fields_is_refused(api: Client) -> None:
    task = make_task()
    assert set(api.request("PUT", f"tasks/{task.pk}/", {"priority": 1}).problems()) == {"name", "handler"}


def test_read_only_fields_are_accepted_and_ignored(api: Client) -> None:
    sent = {
        "name": "a",
        "handler": "shell",
        "params": {"command": "true"},
        "version": 99,
        "state": "error",
        "next_run_at": "2030-01-01T00:00:00Z",
        "created_at": "2001-01-01T00:00:00Z",
    }
    body = api.post("tasks/", sent).created()
    assert (body["version"], body["state"], body["next_run_at"]) == (1, "enabled", None)
    assert body["created_at"] > "2020"


def test_moments_are_shown_in_utc_whatever_their_offset_was(api: Client) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=9)).replace(hour=8, minute=0, second=0, microsecond=0)
    sent = {
        "name": "once",
        "handler": "shell",
        "params": {"command": "true"},
        "trigger": "once",
        "run_at": f"{ahead:%Y-%m-%dT%H:%M:%S}+05:30",
    }
    shown = api.post("tasks/", sent).created()["run_at"]
    assert shown == f"{ahead - timedelta(hours=5, minutes=30):%Y-%m-%dT%H:%M:%SZ}"


def test_a_delay_that_is_given_anew_counts_from_now(api: Client) -> None:
    sent = {
        "name": "later",
        "handler": "shell",
        "params": {"command": "true"},
        "trigger": "once",
        "delay_seconds": 3600,
    }
    first = api.post("tasks/", sent).created()
    second = api.request("PATCH", f"tasks/{first['id']}/", {"delay_seconds": 7200}).ok()
    moved = datetime.fromisoformat(second["run_at"]) - datetime.fromisoformat(first["run_at"])
    assert moved >= timedelta(seconds=3600)


def test_pausing_and_resuming_may_be_repeated(api: Client) -> None:
    task = make_task(trigger="interval", every_seconds=60)
    for _ in range(2):
        assert api.post(f"tasks/{task.pk}/pause/").ok()["state"] == "paused"
    for _ in range(2):
        body = api.post(f"tasks/{task.pk}/resume/").ok()
        assert (body["state"], body["enabled"]) == ("enabled", True)


def test_a_task_tells_how_its_trigger_stands_and_is_found_by_it(api: Client) -> None:
    def clock(task: Task, **over: Any) -> Task:
        TaskClock.objects.filter(task=task).update(dirty=False, **over)
        return task

    moment = datetime(2030, 1, 1, tzinfo=UTC)
    every_minute = {"trigger": "interval", "every_seconds": 60}
    tasks = {
        "manual": clock(make_task()),
        "ticking": clock(make_task(**every_minute), next_run_at=moment),
        "unplanned": make_task(**every_minute),
        "over": clock(make_task(**every_minute)),
        "broken": clock(make_task(**every_minute), error="no such zone"),
        "paused": make_task(enabled=False, **every_minute),
    }
    states = {name: api.get(f"tasks/{task.pk}/").ok()["state"] for name, task in tasks.items()}
    assert states == {
        "manual": "enabled",
        "ticking": "enabled",
        "unplanned": "enabled",
        "over": "finished",
        "broken": "error",
        "paused": "paused",
    }
    for state in set(states.values()):
        found = {row["id"] for row in api.results(f"tasks/?state={state}")}
        assert found == {tasks[name].pk for name, shown in states.items() if shown == state}, state
    assert api.get(f"tasks/{tasks['ticking'].pk}/").ok()["next_run_at"] == "2030-01-01T00:00:00Z"
    assert api.get(f"tasks/{tasks['broken'].pk}/").ok()["schedule_error"] == "no such zone"


def test_deleting_a_task_keeps_its_history_under_its_name(api: Client) -> None:
    task = free_task(name="gone")
    instance = ended(task)
    assert api.request("DELETE", f"tasks/{task.pk}/").status == 204
    assert api.get(f"tasks/{task.pk}/").status == 404
    shown = api.get(f"instances/{instance.pk}/").ok()
    assert (shown["task"], shown["task_name"], shown["handler"]) == (task.pk, "gone", "shell")
    assert [row["id"] for row in api.results("instances/")] == [instance.pk]
    assert [row["task_name"] for row in api.results("executions/")] == ["gone"]


def test_the_preview_of_a_stored_task_shows_utc_and_the_local_clock(api: Client) -> None:
    task = make_task(trigger="cron", cron_expression="30 8 * * *", timezone="Europe/Berlin", enabled=False)
    body = api.get(f"tasks/{task.pk}/preview/?count=2&after=2026-03-28T00:00:00Z").ok()
    assert body["timezone"] == "Europe/Berlin"
    assert [(fire["at"], fire["local"]) for fire in body["fires"]] == [
        ("2026-03-28T07:30:00Z", "2026-03-28T08:30:00+01:00"),
        ("2026-03-29T06:30:00Z", "2026-03-29T08:30:00+02:00"),
    ]


def test_a_trigger_is_previewed_without_being_stored(api: Client) -> None:
    sent = {
        "trigger": "interval",
        "every_seconds": 3600,
        "anchor_at": "2026-01-01T00:10:00Z",
        "after": "2026-01-01T05:00:00Z",
        "count": 2,
    }
    body = api.post("tasks/preview/", sent).ok()
    assert [fire["at"] for fire in body["fires"]] == ["2026-01-01T05:10:00Z", "2026-01-01T06:10:00Z"]
    assert not Task.objects.exists()


def test_a_preview_is_short_when_the_trigger_ends(api: Client) -> None:
    sent = {"trigger": "once", "run_at": "2030-01-01T00:00:00Z"}
    assert len(api.post("tasks/preview/", sent).ok()["fires"]) == 1
    assert api.post("tasks/preview/", {"trigger": "manual"}).ok()["fires"] == []
    assert len(api.post("tasks/preview/", {"trigger": "once", "delay_seconds": 5}).ok()["fires"]) == 1


def test_the_deletion_of_a_task_cancels_what_waits(api: Client) -> None:
    task = make_task(overlap="queue_all")
    made = api.post(f"tasks/{task.pk}/run/").created()
    delete_task(task)
    instance = TaskInstance.objects.get(pk=made["id"])
    assert instance.outcome == "cancelled"


def test_handlers_are_listed_with_the_schema_of_their_params(api: Client) -> None:
    handlers = {row["name"]: row for row in api.get("handlers/").ok()}
    assert set(handlers) >= {"http", "python", "shell", "sql"}
    assert "url" in handlers["http"]["params_schema"]["properties"]
