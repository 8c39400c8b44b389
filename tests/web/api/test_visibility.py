"""Who sees what, and who may do what."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.roles import Role
from scheduling.models import Task, TaskInstance
from tests.factories import make_namespace, make_task, make_user
from tests.web.api.client import Client, client_of
from tests.web.api.work import end, free_task, running, write_log

SOUND: dict[str, Any] = {"name": "new", "handler": "shell", "params": {"command": "true"}}


@pytest.fixture
def stranger(history: None) -> Client:
    """An administrator of another namespace."""
    make_namespace("other")
    return client_of(make_user("bob", other=Role.ADMINISTRATOR))


@pytest.fixture
def viewer(history: None) -> Client:
    return client_of(make_user("vera", default=Role.VIEWER))


@pytest.fixture
def operator(history: None) -> Client:
    return client_of(make_user("otto", default=Role.OPERATOR))


def test_what_belongs_to_another_namespace_does_not_exist(stranger: Client) -> None:
    claimed = running(free_task(name="secret"))
    write_log(claimed, "secret")
    end(claimed)
    task, instance, execution = claimed.task_id, claimed.instance_id, claimed.lease_id
    for path in ("tasks/", "instances/", "executions/", "tasks/?name=secret", f"instances/?task={task}"):
        assert stranger.results(path) == [], path
    for path in (
        f"tasks/{task}/",
        f"tasks/{task}/preview/",
        f"instances/{instance}/",
        f"executions/{execution}/",
        f"executions/{execution}/log/",
        f"executions/{execution}/log/?render=text",
    ):
        assert stranger.get(path).status == 404, path
    for path in (
        f"tasks/{task}/run/",
        f"tasks/{task}/pause/",
        f"tasks/{task}/resume/",
        f"instances/{instance}/cancel/",
        f"instances/{instance}/rerun/",
    ):
        assert stranger.post(path).status == 404, path
    assert stranger.request("PATCH", f"tasks/{task}/", {"priority": 1}).status == 404
    assert stranger.request("DELETE", f"tasks/{task}/").status == 404
    assert Task.objects.filter(pk=task, enabled=True, priority=0).exists()


def test_a_viewer_sees_everything_and_changes_nothing(viewer: Client) -> None:
    claimed = running()
    task, instance = claimed.task_id, claimed.instance_id
    for path in (f"tasks/{task}/", f"instances/{instance}/", f"executions/{claimed.lease_id}/log/"):
        assert viewer.get(path).status == 200, path
    for path in (f"tasks/{task}/run/", f"tasks/{task}/pause/", f"tasks/{task}/resume/"):
        assert viewer.post(path).status == 403, path
    for path in (f"instances/{instance}/cancel/", f"instances/{instance}/rerun/"):
        assert viewer.post(path).status == 403, path
    assert viewer.post("tasks/", SOUND).status == 403
    assert viewer.request("PATCH", f"tasks/{task}/", {"priority": 1}).status == 403
    assert viewer.request("DELETE", f"tasks/{task}/").status == 403
    assert TaskInstance.objects.count() == 1
    assert Task.objects.get().priority == 0


def test_an_operator_runs_and_pauses_but_does_not_edit(operator: Client) -> None:
    task = free_task()
    made = operator.post(f"tasks/{task.pk}/run/").created()
    assert operator.post(f"tasks/{task.pk}/pause/").status == 200
    assert operator.post(f"tasks/{task.pk}/resume/").status == 200
    assert operator.post(f"instances/{made['id']}/cancel/").status == 202
    assert operator.post(f"instances/{made['id']}/rerun/").status == 201
    assert operator.post("tasks/", SOUND).status == 403
    for method in ("PUT", "PATCH"):
        answer = operator.request(method, f"tasks/{task.pk}/", SOUND)
        assert answer.status == 403
        assert set(answer.json) == {"detail"}
    assert operator.request("DELETE", f"tasks/{task.pk}/").status == 403


def test_nobody_creates_tasks_where_they_may_not(api: Client, stranger: Client) -> None:
    assert set(stranger.post("tasks/", SOUND).problems()) == {"namespace"}
    assert "namespace" in api.post("tasks/", {**SOUND, "namespace": "other"}).problems()
    assert stranger.post("tasks/", {**SOUND, "namespace": "other"}).created()["namespace"] == "other"


def test_a_task_is_moved_by_nobody(history: None) -> None:
    make_namespace("other")
    task = make_task()
    half = client_of(make_user(default=Role.ADMINISTRATOR, other=Role.OPERATOR))
    both = client_of(make_user(default=Role.ADMINISTRATOR, other=Role.ADMINISTRATOR))
    assert half.request("PATCH", f"tasks/{task.pk}/", {"namespace": "other"}).status == 403
    refused = both.request("PATCH", f"tasks/{task.pk}/", {"namespace": "other"}).problems()
    assert refused.keys() == {"namespace"}


def test_a_connection_of_another_namespace_cannot_be_probed_by_its_name(stranger: Client) -> None:
    from workers.models import Connection

    Connection.objects.create(namespace=make_namespace(), name="warehouse", url="sqlite://")
    sent = {"name": "q", "handler": "sql", "namespace": "other"}
    params = {"connection": "warehouse", "statement": "SELECT 1"}
    missing = {**params, "connection": "nothing-like-it"}
    answers = [stranger.post("tasks/", {**sent, "name": str(n), "params": p}) for n, p in enumerate((params, missing))]
    assert answers[0].status == answers[1].status
    assert "warehouse" not in answers[1].text, "nor does the answer name it"


@pytest.mark.parametrize(
    ("path", "taken"), [("tasks/", SOUND), ("calendars/", {"name": "taken"}), ("pools/", {"name": "taken"})]
)
def test_what_the_default_namespace_holds_cannot_be_probed_by_naming_none(
    api: Client, stranger: Client, path: str, taken: dict[str, Any]
) -> None:
    api.post(path, {**taken, "name": "taken"}).created()
    answers = [stranger.post(path, {**taken, "name": name}) for name in ("taken", "free")]
    assert answers[0].status == answers[1].status == 400
    assert answers[0].text == answers[1].text
    assert "or you may not see it" in answers[0].json["namespace"][0]


def test_somebody_without_any_role_sees_empty_lists(history: None) -> None:
    make_task()
    nobody = client_of(make_user())
    for path in ("tasks/", "instances/", "executions/"):
        assert nobody.results(path) == [], path
