"""No answer of the API holds a secret, and what it shows can be sent back without losing one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.roles import Role
from scheduling.domain.param_secrets import MASK
from scheduling.models import Task, TaskInstance, TaskRevision
from tests.factories import make_task, make_user
from tests.web.api.client import Client, client_of

PARAMS: dict[str, Any] = {"url": "http://example.com/", "auth": {"type": "bearer", "token": "hush-hush"}}
SHOWN: dict[str, Any] = {"url": "http://example.com/", "auth": {"type": "bearer", "token": MASK}}
OWN: dict[str, Any] = {"auth": {"type": "bearer", "token": "hush-own"}}


@pytest.fixture
def task(history: None) -> Task:
    """A call with a token."""
    return make_task(handler="http", params=PARAMS, overlap="allow")


@pytest.fixture
def viewer(task: Task) -> Client:
    """The API as a viewer uses it."""
    return client_of(make_user("vera", default=Role.VIEWER))


def _answers(api: Client, viewer: Client, task: Task) -> Iterator[str]:
    """Every answer in which params, or something made from them, could be."""
    one = f"tasks/{task.pk}/"
    yield api.request("PATCH", one, {"priority": 3}).text
    yield api.post(f"{one}pause/").text
    yield api.post(f"{one}resume/").text
    run = api.post(f"{one}run/", {"params": OWN})
    yield run.text
    yield api.post("definitions/apply/?dry_run=true", {"kind": "task", "name": task.name, "handler": "http"}).text
    yield api.post(f"instances/{run.json['id']}/cancel/").text
    yield api.post(f"instances/{run.json['id']}/rerun/").text
    own = run.json["id"]
    for path in (
        "tasks/",
        one,
        "instances/",
        f"instances/{own}/",
        "backfills/",
        "definitions/export/",
        f"ledger/?task={task.pk}",
    ):
        yield viewer.get(path).text


def test_no_answer_holds_a_secret(api: Client, viewer: Client, task: Task) -> None:
    answers = list(_answers(api, viewer, task))
    assert [text for text in answers if "hush" in text] == []
    assert sum(MASK in text for text in answers) >= 8


def test_params_of_an_instance_are_shown_by_the_handler_that_it_was_fired_with(
    api: Client, viewer: Client, task: Task
) -> None:
    made = api.post(f"tasks/{task.pk}/run/", {"params": OWN}).created()
    api.request("PATCH", f"tasks/{task.pk}/", {"handler": "shell", "params": {"command": "true"}}).ok()
    assert viewer.get(f"instances/{made['id']}/").ok()["params"] == SHOWN
    assert viewer.results("instances/")[0]["params"] == SHOWN
    assert TaskInstance.objects.get(pk=made["id"]).params == {**PARAMS, **OWN}


def test_what_a_get_shows_can_be_put_back_and_keeps_the_secret(api: Client, task: Task) -> None:
    shown = api.get(f"tasks/{task.pk}/").ok()
    assert shown["params"] == SHOWN
    assert api.request("PUT", f"tasks/{task.pk}/", shown).ok() == shown
    assert TaskRevision.objects.filter(task=task).count() == 1
    changed = {**SHOWN, "url": "http://example.com/2"}
    assert api.request("PATCH", f"tasks/{task.pk}/", {"params": changed}).ok()["params"] == changed
    assert Task.objects.get(pk=task.pk).params == {**PARAMS, "url": "http://example.com/2"}


def test_a_run_takes_a_mask_for_the_secret_of_its_task(api: Client, task: Task) -> None:
    made = api.post(f"tasks/{task.pk}/run/", {"params": SHOWN}).created()
    assert TaskInstance.objects.get(pk=made["id"]).params == PARAMS


def test_a_mask_where_nothing_is_stored_is_refused(api: Client) -> None:
    refused = api.post("tasks/", {"name": "new", "handler": "http", "params": SHOWN}).problems()
    assert "none is stored here" in refused["params"]["auth"]["token"][0]
    assert not Task.objects.exists()


def test_nothing_but_the_keys_is_shown_of_params_whose_handler_is_not_installed(viewer: Client, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(handler="fax", params={"to": ["+44", 7], "pin": 1234, "note": "", "x": None})
    shown = {"to": [MASK, MASK], "pin": MASK, "note": "", "x": None}
    assert viewer.get(f"tasks/{task.pk}/").ok()["params"] == shown
    assert "1234" not in viewer.get("definitions/export/").text


def test_masks_of_a_handler_that_is_back_become_what_is_stored(api: Client, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(handler="fax")
    shown = api.get(f"tasks/{task.pk}/").ok()
    assert "There is no handler" in api.request("PUT", f"tasks/{task.pk}/", shown).problems()["handler"][0]
    api.request("PUT", f"tasks/{task.pk}/", {**shown, "handler": "http"}).ok()
    assert Task.objects.get(pk=task.pk).params == PARAMS


def test_what_a_handler_does_not_know_any_more_is_not_shown(viewer: Client, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(params={**PARAMS, "api_key": "hush"})
    assert viewer.get(f"tasks/{task.pk}/").ok()["params"] == {**SHOWN, "api_key": MASK}
