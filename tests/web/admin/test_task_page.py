"""The page of a task: how it stands, when it fires, how its last runs went; and a run with other params."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from scheduling.db import callers_connection
from scheduling.domain.param_secrets import MASK
from scheduling.models import Task, TaskClock, TaskInstance
from tests.factories import make_task, make_user
from tests.web.admin.history import make_instance

pytestmark = pytest.mark.django_db(transaction=True)

#: One instance of a task, which took 90 s.
_ENDED = """
INSERT INTO rota_stat_hour (task_id, hour, namespace_id, outcome, bucket, count, lasted, waited)
VALUES (%s, date_trunc('hour', now()), %s, %s, rota_stat_bucket('90 s'), %s, %s * interval '90 s', '0')
"""


def page(client: Client, task: Task, name: str = "change") -> str:
    return client.get(reverse(f"admin:scheduling_task_{name}", args=[task.pk])).content.decode()


def test_the_last_runs_are_a_strip_of_links_with_a_word_for_each(root: Client) -> None:
    task = make_task()
    failed, succeeded = make_instance(task, state="failed", age=timedelta(minutes=9)), make_instance(task)
    make_instance(make_task())
    shown = page(root, task)
    places = [
        shown.index(reverse("admin:scheduling_taskinstance_change", args=[pk])) for pk in (failed.pk, succeeded.pk)
    ]
    assert places == sorted(places), "oldest first"
    assert shown.count("rota-run rota-run-") == 2
    assert 'title="failed · ' in shown
    assert '<span class="rota-unseen">succeeded · ' in shown


def test_a_task_that_never_ran_says_so_instead_of_empty_charts(root: Client) -> None:
    shown = page(root, make_task())
    assert "Nothing has run yet." in shown
    assert "Nothing has ended within the last 30 days." in shown
    assert '<svg class="rota-chart' not in shown


def test_the_ratio_and_the_durations_come_from_the_statistics(root: Client) -> None:
    task = make_task()
    with callers_connection().cursor() as cursor:
        cursor.execute(_ENDED, [task.pk, task.namespace_id, "succeeded", 3, 3])
        cursor.execute(_ENDED, [task.pk, task.namespace_id, "failed", 1, 1])
    shown = page(root, task)
    assert shown.count("75 %") == 3
    assert "1 min 30 s" in shown


def test_the_next_fire_is_counted_down_and_a_paused_task_has_none(root: Client) -> None:
    task = make_task(trigger="cron", cron_expression="0 12 * * *")
    at = timezone.now() + timedelta(hours=2)
    TaskClock.objects.filter(task=task).update(next_run_at=at, dirty=False)
    assert f'data-countdown datetime="{at.isoformat()}"' in page(root, task)
    Task.objects.filter(pk=task.pk).update(enabled=False)
    assert "data-countdown" not in page(root, task)


def test_the_part_that_follows_what_happens_is_asked_for_by_itself(root: Client) -> None:
    task = make_task()
    assert f'data-live="{reverse("admin:scheduling_task_live", args=[task.pk])}"' in page(root, task)
    before = page(root, task, "live")
    made = make_instance(task, state="ready")
    after = page(root, task, "live")
    assert f"#{made.pk}" not in before
    assert f"#{made.pk}" in after
    assert "<html" not in after


def test_resolved_params_hold_the_defaults_and_hide_secrets(root: Client) -> None:
    task = make_task(
        handler="http", params={"url": "http://example.com", "auth": {"type": "bearer", "token": "hunter2"}}
    )
    shown = page(root, task)
    assert "hunter2" not in shown
    assert MASK in shown
    assert "&quot;follow_redirects&quot;" in shown, "a default of the handler"


def test_somebody_who_may_only_look_is_offered_nothing_to_do(login: Callable[[User], Client]) -> None:
    task = make_task()
    viewer = login(make_user(default=Role.VIEWER))
    assert reverse("admin:scheduling_task_run", args=[task.pk]) not in page(viewer, task)
    assert reverse("admin:scheduling_task_backfill", args=[task.pk]) not in page(viewer, task)
    assert viewer.get(reverse("admin:scheduling_task_run_with", args=[task.pk])).status_code == 403
    stranger = login(make_user(other=Role.VIEWER))
    assert stranger.get(reverse("admin:scheduling_task_live", args=[task.pk])).status_code == 302


# A run with other params


def test_a_run_with_other_params_leaves_the_task_as_it_is(login: Callable[[User], Client]) -> None:
    task = make_task(params={"command": "true", "env": {"A": "1"}})
    operator = login(make_user(default=Role.OPERATOR))
    address = reverse("admin:scheduling_task_run_with", args=[task.pk])
    form = operator.get(address).content.decode()
    assert 'name="param_command"' in form
    answer = operator.post(address, {"param_command": "echo hello"})
    made = TaskInstance.objects.get(task=task.pk)
    assert answer["Location"] == reverse("admin:scheduling_taskinstance_change", args=[made.pk])
    assert made.params == {"command": "echo hello"}, "what was emptied is not taken from the task"
    task.refresh_from_db()
    assert task.params == {"command": "true", "env": {"A": "1"}}
    assert task.version == 1


def test_wrong_params_of_a_run_are_named_beside_their_field_and_nothing_is_queued(root: Client) -> None:
    task = make_task(handler="http", params={"url": "http://example.com"})
    answer = root.post(reverse("admin:scheduling_task_run_with", args=[task.pk]), {"param_url": "nonsense"})
    assert answer.status_code == 200
    assert answer.context["form"].errors["param_url"]
    assert not TaskInstance.objects.filter(task=task.pk).exists()


def test_a_secret_is_hidden_in_the_form_of_a_run_and_kept_when_its_mask_comes_back(root: Client) -> None:
    params = {"url": "http://example.com", "auth": {"type": "bearer", "token": "hunter2"}}
    task = make_task(handler="http", params=params)
    address = reverse("admin:scheduling_task_run_with", args=[task.pk])
    assert "hunter2" not in root.get(address).content.decode()
    posted = {"param_url": "http://example.com/2", "param_auth": f'{{"type": "bearer", "token": "{MASK}"}}'}
    root.post(address, posted)
    made = TaskInstance.objects.get(task=task.pk).params
    assert made is not None
    assert (made["url"], made["auth"]["token"]) == ("http://example.com/2", "hunter2")
