"""Run now, pause, resume, duplicate and delete, from the list and from the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from scheduling.admin import report
from scheduling.domain.states import InstanceState
from scheduling.models import QueueEntry, Task, TaskInstance
from tests.factories import make_task, make_user
from tests.web.admin.history import make_execution, make_instance, make_log

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:scheduling_task_changelist"


def said(response: Any) -> str:
    """Return what the page told the reader."""
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def choose(client: Client, action: str, *tasks: Task, **more: str) -> Any:
    """Run an action of the list on some rows."""
    posted = {"action": action, "_selected_action": [task.pk for task in tasks], **more}
    return client.post(reverse(LIST), posted)


def press(client: Client, verb: str, task: Task) -> Any:
    """Press a button of the task's page."""
    return client.post(reverse(f"admin:scheduling_task_{verb}", args=[task.pk]))


def test_run_now_queues_an_instance_in_the_name_of_the_reader(login: Callable[[User], Client]) -> None:
    task, user = make_task(enabled=False), make_user(default=Role.OPERATOR)

    response = press(login(user), "run", task)

    made = TaskInstance.objects.with_entry().get()
    assert (made.task_id, made.origin, made.triggered_by_id, made.state) == (task.pk, "manual", user.pk, "ready")
    assert f"#{made.pk}" in said(response)


def test_run_now_on_several_says_which_were_skipped_and_why(root: Client) -> None:
    free, busy = make_task(), make_task(name="busy")
    press(root, "run", busy)

    response = choose(root, "run_chosen", free, busy)

    outcomes = TaskInstance.objects.filter(task_id=busy.pk).values_list("outcome", flat=True)
    assert sorted(outcomes, key=str) == [None, "skipped"]
    assert "1 run was queued" in said(response)
    assert "1 was left out. busy: skipped. An earlier instance was unfinished." in said(response)


def test_pause_and_resume_change_what_they_can_and_name_the_rest(root: Client) -> None:
    running, paused = make_task(), make_task(name="still", enabled=False)

    stopped = choose(root, "pause_chosen", running, paused)
    resumed = choose(root, "resume_chosen", paused)

    assert "1 task was paused." in said(stopped)
    assert "still: is paused already" in said(stopped)
    assert "1 task goes on." in said(resumed)
    assert list(Task.objects.order_by("pk").values_list("enabled", flat=True)) == [False, True]


def test_an_action_on_more_rows_than_it_takes_says_so(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_AT_ONCE", 2)

    response = choose(root, "pause_chosen", make_task(), make_task(), make_task())

    assert "2 tasks were paused." in said(response)
    assert "Only the first 2 were looked at." in said(response)
    assert Task.objects.filter(enabled=True).count() == 1


def test_the_buttons_of_the_page_pause_and_resume(root: Client) -> None:
    task = make_task()

    press(root, "pause", task)
    task.refresh_from_db()
    paused = not task.enabled
    press(root, "resume", task)

    task.refresh_from_db()
    assert (paused, task.enabled) == (True, True)


def test_a_duplicate_is_paused_and_opens(root: Client) -> None:
    task = make_task(name="backup", trigger="interval", every_seconds=60)

    response = press(root, "duplicate", task)

    copy = Task.objects.get(name="backup (copy)")
    assert (copy.enabled, copy.every_seconds) == (False, 60)
    assert response.url == reverse("admin:scheduling_task_change", args=[copy.pk])


@pytest.mark.parametrize("verb", ["run", "pause", "resume", "duplicate"])
def test_a_link_alone_changes_nothing(root: Client, verb: str) -> None:
    task = make_task()

    response = root.get(reverse(f"admin:scheduling_task_{verb}", args=[task.pk]))

    assert response.status_code == 405
    assert not TaskInstance.objects.exists()


def test_a_viewer_is_offered_no_action_and_refused_each(login: Callable[[User], Client]) -> None:
    task, client = make_task(), login(make_user(default=Role.VIEWER))

    page = client.get(reverse(LIST)).content.decode()
    answers = [said(press(client, verb, task)) for verb in ("run", "pause", "duplicate")]
    choose(client, "run_chosen", task)

    assert "formaction" not in page
    assert all("You may not do this in this namespace." in answer for answer in answers)
    task.refresh_from_db()
    assert (task.enabled, Task.objects.count(), TaskInstance.objects.count()) == (True, 1, 0)


def test_an_action_on_namespaces_of_different_roles_is_done_where_it_may_be(login: Callable[[User], Client]) -> None:
    mine, theirs = make_task(namespace="mine"), make_task(name="theirs", namespace="theirs")
    client = login(make_user(mine=Role.OPERATOR, theirs=Role.VIEWER))

    response = choose(client, "run_chosen", mine, theirs)

    assert list(TaskInstance.objects.values_list("task_id", flat=True)) == [mine.pk]
    assert "theirs: You may not do this in this namespace." in said(response)


@pytest.mark.parametrize("bulk", [False, True])
def test_deleting_a_task_cancels_what_waits_and_keeps_its_history(root: Client, bulk: bool) -> None:
    task = make_task(name="gone")
    ended, waiting = make_instance(task), make_instance(task, state="ready")
    execution = make_execution(ended)
    make_log(execution, ("stdout", "the last words"))

    if bulk:
        choose(root, "delete_selected", task, post="yes")
    else:
        root.post(reverse("admin:scheduling_task_delete", args=[task.pk]), {"post": "yes"})

    assert not Task.objects.exists()
    assert not QueueEntry.objects.exists()
    assert TaskInstance.objects.get(pk=waiting.pk).state is InstanceState.CANCELLED
    pages = [
        reverse("admin:scheduling_taskinstance_changelist"),
        reverse("admin:scheduling_taskinstance_change", args=[ended.pk]),
        reverse("admin:workers_execution_changelist"),
        reverse("admin:workers_execution_change", args=[execution.pk]),
        reverse("admin:workers_execution_log", args=[execution.pk]),
    ]
    for url in pages:
        response = root.get(url)
        assert response.status_code == 200
        assert "gone (deleted)" in response.content.decode()


def test_the_question_before_deleting_counts_definitions_and_no_history(root: Client) -> None:
    task = make_task(name="gone")
    for _ in range(3):
        make_instance(task)

    response = root.get(reverse("admin:scheduling_task_delete", args=[task.pk]))

    assert list(response.context["model_count"]) == [("tasks", 1)]
    assert response.context["deleted_objects"] == ["gone"]


def test_somebody_who_only_operates_cannot_delete(login: Callable[[User], Client]) -> None:
    task, client = make_task(), login(make_user(default=Role.OPERATOR))

    single = client.post(reverse("admin:scheduling_task_delete", args=[task.pk]), {"post": "yes"})
    choose(client, "delete_selected", task, post="yes")

    assert single.status_code == 403
    assert Task.objects.exists()


def test_the_list_says_how_each_task_stands_and_how_it_ran_last(root: Client) -> None:
    make_task(name="quiet", enabled=False)
    made = make_instance(make_task(name="busy"), state="failed")

    page = root.get(reverse(LIST)).content.decode()

    assert ">paused</span>" in page
    assert ">failed</span>" in page
    assert reverse("admin:scheduling_taskinstance_change", args=[made.pk]) in page


@pytest.mark.parametrize(("state", "names"), [("paused", ["quiet"]), ("enabled", ["busy"]), ("error", []), ("x", None)])
def test_the_state_filter_agrees_with_the_state_that_is_shown(
    root: Client, state: str, names: list[str] | None
) -> None:
    make_task(name="quiet", enabled=False)
    make_task(name="busy")

    response = root.get(reverse(LIST), {"state": state})

    shown = [task.name for task in response.context["cl"].result_list]
    assert shown == (["busy", "quiet"] if names is None else names)
