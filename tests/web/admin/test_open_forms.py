"""Somebody else changes a task while its form is open: nothing of theirs is overruled unnoticed."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from scheduling.models import Task
from scheduling.services import pause_task, restore_revision, resume_task, save_task
from tests.factories import make_task
from tests.races.orders import connections
from tests.support.waiting import WAITING_FOR_A_LOCK, wait_until
from tests.web.admin.task_post import errors, fields

pytestmark = pytest.mark.django_db(transaction=True)


def address(task: Task) -> str:
    return reverse("admin:scheduling_task_change", args=[task.pk])


def opened(client: Client, task: Task) -> dict[str, str]:
    """What the form of the stored task would post, edited in nothing."""
    page = client.get(address(task)).content.decode()
    found = re.search(r'name="seen" value="([^"]*)"', page)
    assert found is not None
    posted = fields("shell", name=task.name, param_command="true", seen=found[1])
    return posted if task.enabled else {name: value for name, value in posted.items() if name != "enabled"}


def test_a_pause_during_an_edit_stays(root: Client) -> None:
    task = make_task(name="new")
    form = opened(root, task)
    pause_task(task)
    assert root.post(address(task), {**form, "description": "more"}).status_code == 302
    task.refresh_from_db()
    assert (task.description, task.enabled) == ("more", False)


def test_a_task_that_goes_on_during_an_edit_goes_on(root: Client) -> None:
    task = make_task(name="new", enabled=False)
    form = opened(root, task)
    resume_task(task)
    assert root.post(address(task), {**form, "description": "more"}).status_code == 302
    task.refresh_from_db()
    assert (task.description, task.enabled) == ("more", True)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_form_pauses_and_resumes_when_that_is_what_was_changed_in_it(root: Client, enabled: bool) -> None:
    task = make_task(name="new", enabled=enabled)
    form = opened(root, task)
    turned = {**form, "enabled": "on"} if not enabled else {k: v for k, v in form.items() if k != "enabled"}
    assert root.post(address(task), turned).status_code == 302
    task.refresh_from_db()
    assert task.enabled is not enabled


def test_an_edit_of_somebody_else_is_told_once_and_not_overruled_unread(root: Client) -> None:
    task = make_task(name="new", timeout_seconds=30)
    form = opened(root, task)
    other = Task.objects.get(pk=task.pk)
    other.timeout_seconds = 60
    save_task(other)
    answer = root.post(address(task), {**form, "timeout_seconds": "30"})
    (told,) = errors(answer)["__all__"]
    assert told.startswith("Somebody has saved version 2 of this task since you opened this form. It changed: ")
    assert "30 → 60" in told
    task.refresh_from_db()
    assert task.timeout_seconds == 60
    again = re.search(r'name="seen" value="([^"]*)"', answer.content.decode())
    assert again is not None
    assert root.post(address(task), {**form, "timeout_seconds": "30", "seen": again[1]}).status_code == 302
    task.refresh_from_db()
    assert task.timeout_seconds == 30


def while_paused(task: Task, call: Callable[[], object]) -> object:
    """Pause ``task``, begin ``call`` before that commits, and return its answer."""

    def called() -> object:
        try:
            return call()
        finally:
            connection.close()

    with connections(1) as (watch,), ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            pause_task(task)
            begun = pool.submit(called)

            def waits_or_is_done() -> bool:
                row = watch.execute(WAITING_FOR_A_LOCK).fetchone()
                return begun.done() or bool(row and row[0])

            wait_until(waits_or_is_done, what="the other waits for the pause, or is through")
        return begun.result()


def test_a_pause_while_an_earlier_version_is_restored_stays() -> None:
    task = make_task(name="new", timeout_seconds=30)
    task.timeout_seconds = 60
    save_task(task)
    while_paused(task, lambda: restore_revision(task, 1))
    task.refresh_from_db()
    assert (task.timeout_seconds, task.enabled) == (30, False)


def test_a_pause_while_the_form_is_stored_stays(root: Client) -> None:
    task = make_task(name="new")
    form = opened(root, task)
    while_paused(task, lambda: root.post(address(task), {**form, "description": "more"}))
    task.refresh_from_db()
    assert (task.description, task.enabled) == ("more", False)
