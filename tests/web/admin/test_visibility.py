"""Who may not see does not see, whichever address they try."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from scheduling.models import Task, TaskInstance
from tests.factories import make_namespace, make_task, make_user
from tests.web.admin.history import make_execution, make_instance, make_log
from workers.models import Connection

pytestmark = pytest.mark.django_db


@pytest.fixture
def stranger(login: Callable[[User], Client]) -> Client:
    """An administrator of another namespace."""
    make_namespace("elsewhere")
    return login(make_user(elsewhere=Role.ADMINISTRATOR))


def test_lists_leave_out_what_belongs_to_others(stranger: Client) -> None:
    execution = make_execution(make_instance(make_task(name="withheld"), state="failed"))
    make_log(execution, ("stdout", "withheld words"))
    Connection.objects.create(namespace=make_namespace(), name="withheld", url="sqlite://")
    names = [
        "scheduling_task",
        "scheduling_taskinstance",
        "workers_execution",
        "workers_connection",
        "accounts_namespace",
    ]

    for name in names:
        response = stranger.get(reverse(f"admin:{name}_changelist"), {"range": "all"} if "instance" in name else {})
        rows = list(response.context["cl"].result_list)
        assert [str(row) for row in rows] == (["Elsewhere"] if name == "accounts_namespace" else [])
    assert "withheld" not in stranger.get(reverse("admin:index")).content.decode()


def test_pages_of_what_belongs_to_others_do_not_exist(stranger: Client) -> None:
    execution = make_execution(make_instance(make_task(name="withheld"), state="failed"))
    make_log(execution, ("stdout", "withheld words"))
    secret = Connection.objects.create(namespace=make_namespace(), name="withheld", url="sqlite://")
    pages = [
        ("scheduling_task_change", execution.task_id),
        ("scheduling_task_history", execution.task_id),
        ("scheduling_task_delete", execution.task_id),
        ("scheduling_taskinstance_change", execution.instance_id),
        ("workers_execution_change", execution.pk),
        ("workers_execution_log", execution.pk),
        ("workers_execution_download", execution.pk),
        ("workers_connection_change", secret.pk),
        ("accounts_namespace_change", make_namespace().pk),
    ]

    for name, pk in pages:
        response = stranger.get(reverse(f"admin:{name}", args=[pk]))
        assert (name, response.status_code) == (name, 302)
        assert response["Location"] == reverse("admin:index")
        assert b"withheld" not in response.content


def test_what_belongs_to_others_cannot_be_acted_on(stranger: Client) -> None:
    task = make_task()
    instance = make_instance(task)

    for verb in ("run", "pause", "duplicate"):
        stranger.post(reverse(f"admin:scheduling_task_{verb}", args=[task.pk]))
    stranger.post(reverse("admin:scheduling_taskinstance_rerun", args=[instance.pk]))
    stranger.post(reverse("admin:scheduling_task_delete", args=[task.pk]), {"post": "yes"})

    task.refresh_from_db()
    assert (task.enabled, Task.objects.count(), TaskInstance.objects.count()) == (True, 1, 1)


@pytest.mark.parametrize("name", ["accounts_user_changelist", "accounts_user_add", "accounts_namespace_add"])
def test_users_and_namespaces_are_for_superusers(stranger: Client, root: Client, name: str) -> None:
    assert stranger.get(reverse(f"admin:{name}")).status_code == 403
    assert root.get(reverse(f"admin:{name}")).status_code == 200


def test_somebody_without_a_namespace_is_told_so(login: Callable[[User], Client]) -> None:
    page = login(make_user()).get(reverse("admin:index"))

    assert "You belong to no namespace yet" in page.content.decode()


def test_somebody_who_is_no_staff_does_not_get_in(login: Callable[[User], Client]) -> None:
    client = login(make_user(staff=False, default=Role.ADMINISTRATOR))

    assert client.get(reverse("admin:index")).status_code == 302


def test_a_superuser_gives_a_role_on_the_page_of_a_user(root: Client) -> None:
    user, namespace = make_user("ada"), make_namespace()

    root.post(
        reverse("admin:accounts_user_change", args=[user.pk]),
        {
            "username": "ada",
            "is_active": "on",
            "is_staff": "on",
            "memberships-TOTAL_FORMS": "1",
            "memberships-INITIAL_FORMS": "0",
            "memberships-0-namespace": str(namespace.pk),
            "memberships-0-role": "operator",
        },
    )

    assert list(user.memberships.values_list("namespace__name", "role")) == [("default", "operator")]


def test_what_is_refused_is_refused_on_a_page_that_says_so_and_leads_back(login: Callable[[User], Client]) -> None:
    viewer = login(make_user(default=Role.VIEWER))
    refused = viewer.get(reverse("admin:scheduling_task_add"))
    assert refused.status_code == 403
    page = refused.content.decode()
    assert "Your role in this namespace does not allow it." in page
    assert f'href="{reverse("admin:index")}"' in page
    chinese = viewer.get(reverse("admin:scheduling_task_add"), headers={"Accept-Language": "zh-hans"})
    assert "您无权执行此操作" in chinese.content.decode()


def test_an_address_that_leads_nowhere_says_so_and_leads_back(root: Client) -> None:
    for address in ("/nothing/", "/admin/nothing/"):
        missing = root.get(address)
        assert missing.status_code == 404
        assert "There is nothing at this address." in missing.content.decode()
        assert f'href="{reverse("admin:index")}"' in missing.content.decode()
