"""Whatever number, or text, somebody types into an address or a form of the admin is answered with a page."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from scheduling.models import Calendar
from scheduling.services import save_task
from tests.factories import make_namespace, make_task
from tests.web.admin.history import make_execution, make_instance

pytestmark = pytest.mark.django_db

#: More digits than Python reads, and a number beyond the database's integers.
ENDLESS, TOO_BIG = "9" * 5000, "9" * 20
LISTS = {
    "scheduling_taskinstance": ("p", "q", "node", "task"),
    "workers_execution": ("p", "q", "node", "task", "instance"),
    "scheduling_task": ("p", "q"),
}


@pytest.mark.parametrize("number", [ENDLESS, TOO_BIG, "²", "٣"], ids=["endless", "big", "raised", "arabic"])
@pytest.mark.parametrize(
    ("name", "parameter"), [(name, each) for name, parameters in LISTS.items() for each in parameters]
)
def test_a_list_takes_any_number(root: Client, name: str, parameter: str, number: str) -> None:
    make_task()
    address = reverse(f"admin:{name}_changelist")
    assert root.get(address, {parameter: number}).status_code == 200
    if parameter == "q":
        assert root.get(address, {parameter: f"#{number}"}).status_code == 200


@pytest.mark.parametrize("number", [ENDLESS, TOO_BIG], ids=["endless", "big"])
def test_the_pages_of_one_object_take_any_number(root: Client, number: str) -> None:
    task = make_task()
    save_task(task)
    calendar = Calendar.objects.create(namespace=make_namespace(), name="c")
    execution = make_execution(make_instance(task))
    revisions = reverse("admin:scheduling_task_revisions", args=[task.pk])
    log = reverse("admin:workers_execution_log", args=[execution.pk])
    month = reverse("admin:scheduling_calendar_month", args=[calendar.pk])
    assert root.get(revisions, {"before": number}).status_code == 200
    assert root.get(log, {"from": number}).status_code == 200
    assert root.get(log, {"before": number}).status_code == 200
    assert root.get(month, {"month": f"{number}-1"}).status_code == 200
    assert root.get(month, {"month": f"2026-{number}"}).status_code == 200
    restored = root.post(reverse("admin:scheduling_task_restore", args=[task.pk]), {"version": number})
    assert restored.status_code == 302
    assert root.get(reverse("admin:workers_node_drain"), {"node": number}).status_code == 302


def test_a_reason_with_the_character_nul_is_a_reason(root: Client) -> None:
    instance = make_instance(make_task(), state="ready")
    address = reverse("admin:scheduling_taskinstance_cancel", args=[instance.pk])
    answer = root.post(address, {"comment": "too\0late"})
    assert answer.status_code == 302
    instance.refresh_from_db()
    assert "too late" in instance.full_message
