"""Pools in the admin: how full, who holds, who waits; and tasks that use them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from scheduling.models import Pool, QueueEntry, Task
from tests.factories import make_namespace, make_task, make_user
from tests.web.admin.history import make_instance
from tests.web.admin.task_post import add, errors, fields

pytestmark = pytest.mark.django_db

#: How the queue holds what runs.
RUNNING = {"state": 1, "attempt": 1, "lease_id": 1, "holder": 1}

LIST = "admin:scheduling_pool_changelist"


def make_pool(**over: object) -> Pool:
    """A stored pool of two slots."""
    return Pool.objects.create(**{"namespace": make_namespace(), "name": "database", "slots": 2, **over})


def page(pool: Pool, name: str = "change") -> str:
    return reverse(f"admin:scheduling_pool_{name}", args=[pool.pk])


def test_a_pool_is_made_and_changed_by_its_form(root: Client) -> None:
    posted = {"namespace": make_namespace().pk, "name": "database", "slots": "4", "description": ""}
    assert root.post(reverse("admin:scheduling_pool_add"), posted).status_code == 302
    pool = Pool.objects.get()
    assert root.post(page(pool), {**posted, "slots": "0"}).status_code == 302
    pool.refresh_from_db()
    assert pool.slots == 0
    assert "no slots, so nothing more is admitted" in root.get(page(pool)).content.decode()


def test_an_empty_list_says_what_a_pool_is_for(root: Client) -> None:
    assert "such as the connections of one database" in root.get(reverse(LIST)).content.decode()


def test_the_list_and_the_page_show_use_holders_and_who_waits(root: Client) -> None:
    pool = make_pool()
    task = make_task(name="nightly report", pool=pool)
    holder, waiter = make_instance(task, state="ready"), make_instance(task, state="ready")
    QueueEntry.objects.filter(pk=holder.pk).update(gate=task.pk, pool_id=pool.pk, pool_weight=2)
    QueueEntry.objects.filter(pk=waiter.pk).update(gate=task.pk, pool_id=pool.pk, state=5)

    listed = root.get(reverse(LIST)).content.decode()
    assert "2 of 2" in listed
    assert f"?pool={pool.pk}&amp;state=waiting" in listed
    assert "nightly report" in listed

    shown = root.get(page(pool)).content.decode()
    holders, waiters = shown.split('id="waiters"')
    assert reverse("admin:scheduling_taskinstance_change", args=[holder.pk]) in holders.split('id="holders"')[1]
    assert reverse("admin:scheduling_taskinstance_change", args=[waiter.pk]) in waiters

    behind = root.get(f"{reverse('admin:scheduling_taskinstance_changelist')}?pool={pool.pk}&state=waiting")
    assert [each.pk for each in behind.context["cl"].result_list] == [waiter.pk]


def test_a_pool_in_use_is_not_deleted_and_names_its_tasks(root: Client) -> None:
    pool = make_pool()
    make_task(name="nightly report", pool=pool)
    assert "nightly report" in root.get(page(pool, "delete")).content.decode()
    root.post(page(pool, "delete"), {"post": "yes"})
    assert Pool.objects.exists()
    Task.objects.all().delete()
    root.post(page(pool, "delete"), {"post": "yes"})
    assert not Pool.objects.exists()


def test_viewers_look_and_strangers_see_nothing(login: Callable[[User], Client]) -> None:
    pool = make_pool()
    viewer, stranger = login(make_user(default=Role.VIEWER)), login(make_user(other=Role.ADMINISTRATOR))
    assert viewer.get(page(pool)).status_code == 200
    assert viewer.post(page(pool), {"name": "x", "slots": "9", "description": ""}).status_code == 403
    assert stranger.get(page(pool)).status_code == 302
    assert page(pool) not in stranger.get(reverse(LIST)).content.decode()


def test_a_task_takes_pool_lists_and_limits_by_its_form(root: Client) -> None:
    pool = make_pool()
    response = add(
        root,
        "shell",
        param_command="true",
        pool=pool.pk,
        pool_weight="2",
        retry_backoff="list",
        retry_delays="10, 60,,600",
        retry_on="75, 5xx",
        give_up_on=" ValueError ",
        concurrency_key="{cwd}",
        max_processes="4",
    )
    assert response.status_code == 302, errors(response)
    task = Task.objects.get(name="new")
    assert (task.pool, task.pool_weight, task.max_processes) == (pool, 2, 4)
    assert (task.retry_delays, task.retry_on, task.give_up_on) == ([10, 60, 600], ["75", "5xx"], ["ValueError"])
    shown = root.get(reverse("admin:scheduling_task_change", args=[task.pk])).content.decode()
    assert 'value="10, 60, 600"' in shown
    assert 'value="75, 5xx"' in shown


def test_delays_of_a_list_go_when_the_backoff_is_another(root: Client) -> None:
    assert add(root, "shell", param_command="true", retry_delays="10, 60").status_code == 302
    assert Task.objects.get(name="new").retry_delays == []


@pytest.mark.parametrize(
    ("over", "field", "sentence"),
    [
        ({"retry_backoff": "list", "retry_delays": "soon"}, "retry_delays", "Item 1"),
        ({"retry_backoff": "list"}, "retry_delays", "at least one delay"),
        ({"retry_on": "sometimes, 9xx"}, "retry_on", "“9xx”"),
        ({"concurrency_key": "{customer}"}, "concurrency_key", "no “customer”"),
        ({"soft_timeout_seconds": "5", "timeout_seconds": "5"}, "soft_timeout_seconds", "time limit"),
    ],
)
def test_what_does_not_fit_stands_beside_its_field(
    root: Client, over: dict[str, str], field: str, sentence: str
) -> None:
    found = errors(add(root, "shell", param_command="true", **over))
    assert list(found) == [field]
    assert sentence in str(found[field])


def test_limits_of_processes_are_offered_where_there_are_processes(root: Client) -> None:
    addresses = {handler: f"{reverse('admin:scheduling_task_add')}?handler={handler}" for handler in ("shell", "http")}
    offered = {handler: "max_memory_mb" in root.get(url).content.decode() for handler, url in addresses.items()}
    assert offered == {"shell": True, "http": False}


def test_stopping_asks_first_and_says_which_way_each_would_go(root: Client) -> None:
    task = make_task()
    ready, ended = make_instance(task, state="ready"), make_instance(task)
    running = make_instance(task, state="ready")
    QueueEntry.objects.filter(pk=running.pk).update(**RUNNING)
    url = reverse("admin:scheduling_taskinstance_changelist")
    chosen = {"action": "kill_chosen", "_selected_action": [ready.pk, ended.pk, running.pk]}

    asked = root.post(url, chosen).content.decode()
    assert "1 has not started" in asked
    assert "1 runs: its work is ended without any grace" in asked
    assert "1 has ended already" in asked
    assert QueueEntry.objects.filter(cancel_requested_at__isnull=True).count() == 2

    response = root.post(url, {**chosen, "confirmed": "yes", "comment": "it floods\nthe log"})
    told = " ".join(map(str, get_messages(response.wsgi_request)))
    assert "1 was cancelled. 1 runs and is being killed." in told
    assert f"#{ended.pk}: has ended already" in told
    entry = QueueEntry.objects.get(pk=running.pk)
    assert entry.kill_requested
    assert entry.cancel_message is not None
    assert entry.cancel_message.endswith("it floods the log")


def test_the_page_of_one_instance_asks_too_and_then_shows_who_stopped_it(root: Client) -> None:
    running = make_instance(make_task(), state="ready")
    QueueEntry.objects.filter(pk=running.pk).update(**RUNNING)
    page, cancel = (
        reverse(f"admin:scheduling_taskinstance_{name}", args=[running.pk]) for name in ("change", "cancel")
    )
    assert cancel in root.get(page).content.decode()
    assert "it is asked to stop" in root.get(cancel).content.decode()
    assert QueueEntry.objects.get(pk=running.pk).cancel_requested_at is None
    assert root.post(cancel, {"confirmed": "yes", "comment": "wrong month"})["Location"] == page
    shown = root.get(page).content.decode()
    assert "It was told to stop." in shown
    assert "wrong month" in shown


def test_who_may_only_look_is_not_offered_to_stop_and_cannot(login: Callable[[User], Client]) -> None:
    waiting = make_instance(make_task(), state="ready")
    viewer = login(make_user(default=Role.VIEWER))
    kill = reverse("admin:scheduling_taskinstance_kill", args=[waiting.pk])
    assert kill not in viewer.get(reverse("admin:scheduling_taskinstance_change", args=[waiting.pk])).content.decode()
    assert [viewer.get(kill).status_code, viewer.post(kill).status_code] == [403, 403]


def test_the_checklist_says_why_an_instance_waits_and_the_list_has_the_word(root: Client) -> None:
    task = make_task(name="nightly report", overlap="queue_all")
    first, second = make_instance(task, state="ready"), make_instance(task, state="waiting")
    QueueEntry.objects.filter(task=task).update(gate=task.pk)
    shown = root.get(reverse("admin:scheduling_taskinstance_change", args=[second.pk])).content.decode()
    assert "Why is it waiting?" in shown
    assert "An earlier instance of the task “nightly report” is unfinished." in shown
    assert reverse("admin:scheduling_taskinstance_change", args=[first.pk]) in shown
    listed = root.get(f"{reverse('admin:scheduling_taskinstance_changelist')}?state=waiting").content.decode()
    assert '<span class="rota-subtle">overlap</span>' in listed


def test_the_form_keeps_what_was_typed_into_a_list(root: Client) -> None:
    response = add(root, "shell", param_command="true", retry_backoff="list", retry_delays="10, soon")
    assert 'value="10, soon"' in response.content.decode()
    assert fields("shell")["retry_backoff"] == "exponential"
