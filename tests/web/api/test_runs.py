"""Running a task, running it once only, cancelling and running again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts.models import User
from scheduling.models import TaskInstance
from tests.factories import make_task
from tests.support.threads import at_once
from tests.web.api.client import Answer, Client, client_of
from tests.web.api.work import end, ended, free_task, running
from workers.domain.states import ExecutionState


def test_a_run_is_an_instance_that_says_who_asked_for_it(api: Client) -> None:
    task = free_task(name="hello")
    made = api.post(f"tasks/{task.pk}/run/").created()
    expected = {
        "namespace": "default",
        "task": task.pk,
        "task_name": "hello",
        "task_version": 1,
        "handler": "shell",
        "origin": "api",
        "state": "ready",
        "waiting_for": "worker",
        "triggered_by": "ada",
        "params": None,
        "attempts": 0,
        "finished_at": None,
    }
    assert {name: made[name] for name in expected} == expected
    assert api.get(f"instances/{made['id']}/").ok() == made


def test_the_params_of_a_run_are_laid_over_those_of_the_task(api: Client) -> None:
    task = make_task(params={"command": "true", "env": {"A": "1"}})
    made = api.post(f"tasks/{task.pk}/run/", {"params": {"command": "false"}}).created()
    assert made["params"] == {"command": "false", "env": {"A": "1"}}
    assert api.get(f"tasks/{task.pk}/").ok()["params"] == {"command": "true", "env": {"A": "1"}}


def test_a_run_that_is_planned_waits_for_its_moment(api: Client) -> None:
    task = free_task()
    ahead = (datetime.now(UTC) + timedelta(days=1)).replace(hour=8, minute=0, second=0, microsecond=0)
    made = api.post(f"tasks/{task.pk}/run/", {"at": f"{ahead:%Y-%m-%dT%H:%M:%S}+02:00"}).created()
    moment = f"{ahead - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"
    shown = [made[name] for name in ("state", "waiting_for", "scheduled_for", "available_at")]
    assert shown == ["waiting", "time", moment, moment]


def test_a_paused_task_can_be_run(api: Client) -> None:
    assert api.post(f"tasks/{make_task(enabled=False).pk}/run/").status == 201


def test_the_same_key_returns_the_first_instance_and_says_so(api: Client) -> None:
    task = make_task()
    headers = {"Idempotency-Key": "order 17 – ä".encode().decode("latin-1")}
    first = api.post(f"tasks/{task.pk}/run/", {}, headers=headers)
    again = api.post(f"tasks/{task.pk}/run/", {"params": {"command": "false"}}, headers=headers)
    assert again.ok()["id"] == first.created()["id"]
    assert again.json["params"] is None
    assert "Idempotent-Replay" not in first.headers
    assert again.headers["Idempotent-Replay"] == "true"
    assert TaskInstance.objects.count() == 1


def test_a_key_in_the_body_is_the_same_as_one_in_the_header(api: Client) -> None:
    task = make_task()
    made = api.post(f"tasks/{task.pk}/run/", {"key": "k"}).created()
    again = api.post(f"tasks/{task.pk}/run/", headers={"Idempotency-Key": "k"}).ok()
    assert again["id"] == made["id"]
    both = api.post(f"tasks/{task.pk}/run/", {"key": "k"}, headers={"Idempotency-Key": "other"})
    assert "key" in both.problems()


def test_a_key_belongs_to_its_task(api: Client) -> None:
    one, other = make_task(), make_task()
    assert api.post(f"tasks/{one.pk}/run/", {"key": "k"}).status == 201
    assert api.post(f"tasks/{other.pk}/run/", {"key": "k"}).status == 201


def test_a_run_that_was_refused_does_not_use_up_its_key(api: Client) -> None:
    task = make_task()
    api.post(f"tasks/{task.pk}/run/", {"key": "k", "params": {"command": 1}}).problems()
    assert api.post(f"tasks/{task.pk}/run/", {"key": "k"}).status == 201


@pytest.mark.django_db(transaction=True)
def test_of_requests_with_one_key_at_the_same_moment_one_makes_the_instance(ada: User) -> None:
    task = free_task()

    def run() -> Answer:
        try:
            return client_of(ada).post(f"tasks/{task.pk}/run/", headers={"Idempotency-Key": "once"})
        finally:
            connection.close()

    answers = at_once(run, run, run, run)
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert TaskInstance.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_run_beside_one_that_is_unfinished_is_shown_as_skipped_at_once(ada: User) -> None:
    api, task = client_of(ada), make_task(overlap="skip")
    assert api.post(f"tasks/{task.pk}/run/").created()["state"] == "ready"
    second = api.post(f"tasks/{task.pk}/run/").created()
    assert (second["state"], second["reason"]) == ("skipped", "overlap")


def test_what_has_not_started_is_cancelled_at_once(api: Client) -> None:
    made = api.post(f"tasks/{free_task().pk}/run/").created()
    answer = api.post(f"instances/{made['id']}/cancel/", {"comment": "wrong month"})
    assert answer.status == 202
    assert answer.json["result"] == "cancelled"
    instance = answer.json["instance"]
    assert (instance["state"], instance["reason"]) == ("cancelled", "cancelled")
    assert "ada" in instance["message"]
    assert "wrong month" in instance["message"]


def test_what_runs_is_asked_to_stop(api: Client) -> None:
    claimed = running()
    answer = api.post(f"instances/{claimed.instance_id}/cancel/")
    assert (answer.status, answer.json["result"]) == (202, "requested")
    instance = answer.json["instance"]
    assert instance["state"] == "running"
    assert instance["cancel_requested_at"] is not None
    end(claimed, ExecutionState.CANCELLED)
    assert api.get(f"instances/{claimed.instance_id}/").ok()["state"] == "cancelled"


def test_what_has_ended_stays_as_it_is(api: Client) -> None:
    instance = ended()
    before = api.get(f"instances/{instance.pk}/").ok()
    answer = api.post(f"instances/{instance.pk}/cancel/")
    assert (answer.status, answer.json["result"]) == (202, "already_ended")
    assert answer.json["instance"] == before


def test_running_again_makes_a_new_instance_that_points_to_the_old_one(api: Client) -> None:
    task = free_task()
    first = api.post(f"tasks/{task.pk}/run/", {"params": {"command": "false"}}).created()
    api.post(f"instances/{first['id']}/cancel/")
    again = api.post(f"instances/{first['id']}/rerun/").created()
    assert again["id"] != first["id"]
    expected = {"rerun_of": first["id"], "origin": "rerun", "params": {"command": "false"}, "triggered_by": "ada"}
    assert {name: again[name] for name in expected} == expected
    assert [row["id"] for row in api.results(f"instances/?rerun_of={first['id']}")] == [again["id"]]


def test_what_has_not_ended_cannot_be_run_again(api: Client) -> None:
    made = api.post(f"tasks/{free_task().pk}/run/").created()
    answer = api.post(f"instances/{made['id']}/rerun/")
    assert answer.status == 409
    assert str(made["id"]) in answer.json["detail"]


def test_an_instance_of_a_deleted_task_cannot_be_run_again(api: Client) -> None:
    task = free_task()
    instance = ended(task)
    api.request("DELETE", f"tasks/{task.pk}/")
    answer = api.post(f"instances/{instance.pk}/rerun/")
    assert answer.status == 409
    assert set(answer.json) == {"detail"}


def test_params_that_no_longer_fit_cannot_be_run_again(api: Client) -> None:
    task = free_task()
    made = api.post(f"tasks/{task.pk}/run/", {"params": {"command": "false"}}).created()
    api.post(f"instances/{made['id']}/cancel/")
    other = {"handler": "http", "params": {"url": "http://x.example"}}
    api.request("PATCH", f"tasks/{task.pk}/", other).ok()
    assert "params" in api.post(f"instances/{made['id']}/rerun/").problems()


def test_a_running_instance_tells_its_attempt_and_execution(api: Client) -> None:
    claimed = running()
    shown = api.get(f"instances/{claimed.instance_id}/").ok()
    assert (shown["state"], shown["attempts"], shown["last_execution"]) == ("running", 1, claimed.lease_id)
    assert shown["started_at"] is not None
    assert shown["finished_at"] is None
