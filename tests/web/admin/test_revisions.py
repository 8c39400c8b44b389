"""The versions of a task: what each changed, and a way back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from scheduling.models import Pool, Task, TaskRevision
from scheduling.services import revision_changes, save_task
from tests.factories import make_namespace, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def edited(task: Task, **changes: object) -> Task:
    """Save ``task`` with other values, as an edit of a person does."""
    task = Task.objects.get(pk=task.pk)
    for name, value in changes.items():
        setattr(task, name, value)
    return save_task(task)


def restore(client: Client, task: Task, version: int) -> str:
    """Post the button, and return what the page tells."""
    answer = client.post(reverse("admin:scheduling_task_restore", args=[task.pk]), {"version": version})
    return " ".join(map(str, get_messages(answer.wsgi_request)))


def changes(task: Task, before: int, after: int) -> set[tuple[str, str, str, str]]:
    """What differs between two versions."""
    one, two = (TaskRevision.objects.get(task=task.pk, version=each).definition for each in (before, after))
    return {(each.field, ".".join(each.path), each.before, each.after) for each in revision_changes(one, two)}


def test_each_version_names_the_fields_that_it_changed_the_params_key_by_key() -> None:
    task = make_task(params={"command": "true", "env": {"A": "1"}})
    edited(task, params={"command": "false", "env": {"A": "1", "B": "2"}}, max_attempts=3, overlap="allow")
    assert changes(task, 1, 2) == {
        ("params", "command", "true", "false"),
        ("params", "env.B", "", "2"),
        ("max_attempts", "", "1", "3"),
        ("overlap", "", "Skip the new one", "Run side by side"),
    }


def test_the_page_shows_versions_newest_first_and_says_which_is_in_force(root: Client) -> None:
    task = make_task()
    edited(task, timeout_seconds=77)
    page = root.get(reverse("admin:scheduling_task_revisions", args=[task.pk])).content.decode()
    assert page.index("Version 2") < page.index("Version 1")
    assert "<ins>77</ins>" in page
    assert "Time limit" in page
    assert page.count("in force") == 1
    assert "Restore version 1" in page
    assert "Restore version 2" not in page


def test_a_secret_is_never_shown_and_that_it_changed_is(root: Client) -> None:
    params = {"url": "http://example.com", "auth": {"type": "bearer", "token": "first-secret"}}
    task = make_task(handler="http", params=params)
    edited(task, params={**params, "auth": {"type": "bearer", "token": "second-secret"}})
    page = root.get(reverse("admin:scheduling_task_revisions", args=[task.pk])).content.decode()
    assert "-secret" not in page
    assert "(another one)" in page


def test_a_restore_is_a_new_version_that_says_what_the_old_one_said(root: Client) -> None:
    pool = Pool.objects.create(namespace=make_namespace(), name="database", slots=2)
    task = make_task(
        params={"command": "true"}, pool=pool, trigger="cron", cron_expression="0 1 * * *", retry_on=["75"]
    )
    edited(task, params={"command": "false"}, pool=None, cron_expression="0 2 * * *", retry_on=[], name="renamed")
    Task.objects.filter(pk=task.pk).update(enabled=False)
    assert "Version 1 was restored as version 3." in restore(root, task, 1)
    now = Task.objects.get(pk=task.pk)
    assert (now.version, now.name, now.params, now.pool_id) == (3, task.name, {"command": "true"}, pool.pk)
    assert (now.cron_expression, now.retry_on) == ("0 1 * * *", ["75"])
    assert not now.enabled, "whether it is paused is no part of a version"
    assert changes(task, 1, 3) == set()


def test_restoring_what_is_in_force_changes_nothing(root: Client) -> None:
    task = make_task()
    assert "Nothing differs" in restore(root, task, 1)
    assert Task.objects.get(pk=task.pk).version == 1


def test_a_version_that_is_not_sound_any_more_is_refused_with_the_reason(root: Client) -> None:
    pool = Pool.objects.create(namespace=make_namespace(), name="gone", slots=1)
    task = make_task(name="first", pool=pool)
    edited(task, pool=None)
    pool.delete()
    assert "The pool of version 1 was deleted." in restore(root, task, 1)
    edited(task, name="second")
    make_task(name="first")
    assert "A task with this name exists" in restore(root, task, 2)
    assert "There is no version 99" in restore(root, task, 99)
    assert Task.objects.get(pk=task.pk).version == 3


def test_somebody_who_may_only_look_sees_the_versions_and_restores_none(login: Callable[[User], Client]) -> None:
    task = make_task()
    edited(task, timeout_seconds=77)
    viewer = login(make_user(default=Role.VIEWER))
    page = viewer.get(reverse("admin:scheduling_task_revisions", args=[task.pk])).content.decode()
    assert "<ins>77</ins>" in page
    assert "Restore version" not in page
    restore(viewer, task, 1)
    assert Task.objects.get(pk=task.pk).timeout_seconds == 77
