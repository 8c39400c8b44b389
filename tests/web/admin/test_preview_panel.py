"""The panel of the task form that shows what its trigger will do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import User
from scheduling.models import Calendar, CalendarRule, Task
from tests.factories import make_namespace, make_task, make_user

pytestmark = pytest.mark.django_db

NEW = "admin:scheduling_task_preview"
TYPED = {
    "trigger": "cron",
    "cron_expression": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "dst_gap": "run_after_gap",
    "dst_fold": "first",
    "jitter_seconds": "0",
    "starts_at_0": "2030-03-30",
    "starts_at_1": "12:00:00",
}


def panel(client: Client, **typed: str) -> str:
    response = client.post(reverse(NEW), {**TYPED, **typed})
    assert response.status_code == 200
    return response.content.decode()


def test_it_shows_words_three_clocks_and_the_day_of_the_change(root: Client) -> None:
    shown = panel(root, viewer_timezone="Asia/Shanghai")
    for piece in (
        "At 02:30",
        "Sun 2030-03-31 03:00:00 +0200",
        "Sun 2030-03-31 09:00:00",
        "2030-03-31 01:00:00",
        "02:30 does not exist on this day; it runs at 03:00.",
    ):
        assert piece in shown
    assert not Task.objects.exists()


def test_it_speaks_chinese_to_somebody_who_reads_it(root: Client) -> None:
    with translation.override("zh-hans"):
        response = root.post(
            reverse(NEW), {**TYPED, "cron_expression": "0 9 * * 1-5"}, headers={"Accept-Language": "zh-hans"}
        )
    assert "在 09:00, 周一 到 周五" in response.content.decode()


def test_a_mistake_is_the_same_sentence_that_saving_says(root: Client) -> None:
    assert "“0 0 30 2 *” never fires: there is no such day." in panel(root, cron_expression="0 0 30 2 *")
    assert "“Nowhere” is not a known time zone." in panel(root, timezone="Nowhere")
    assert "Enter a cron expression." in panel(root, cron_expression="")
    assert "Enter a valid date." in panel(root, starts_at_0="soon")


def test_what_is_typed_is_shown_as_text(root: Client) -> None:
    assert "<script>" not in panel(root, cron_expression="<script>alert(1)</script>")


def test_the_browsers_zone_is_left_out_when_it_is_unknown_here(root: Client) -> None:
    assert "At 02:30" in panel(root, viewer_timezone="Mars/Olympus")


def test_a_stored_task_is_previewed_with_its_calendars_and_what_is_typed(root: Client) -> None:
    task = make_task(trigger="cron", cron_expression="0 1 * * *")
    calendar = Calendar.objects.create(namespace=task.namespace, name="maintenance")
    CalendarRule.objects.create(calendar=calendar, kind="hours")
    task.calendars.add(calendar)
    address = reverse("admin:scheduling_task_preview_stored", args=[task.pk])
    shown = root.post(address, TYPED).content.decode()
    assert "At 02:30" in shown
    assert "Does not run: calendar “maintenance”." in shown
    unchosen = root.post(address, {**TYPED, "with_calendars": "1"}).content.decode()
    assert "Does not run" not in unchosen
    task.refresh_from_db()
    assert task.cron_expression == "0 1 * * *"


def test_tasks_of_others_are_not_previewed(login: Callable[[User], Client]) -> None:
    task = make_task(namespace=make_namespace("secret"))
    client = login(make_user())
    stored = reverse("admin:scheduling_task_preview_stored", args=[task.pk])
    assert client.post(stored, TYPED).status_code == 403
    assert client.post(reverse(NEW), TYPED).status_code == 403
    assert Client().post(reverse(NEW), TYPED).status_code == 302


def test_the_task_form_carries_the_panel_and_its_script(root: Client) -> None:
    task = make_task(trigger="cron", cron_expression="0 1 * * *")
    page = root.get(reverse("admin:scheduling_task_change", args=[task.pk])).content.decode()
    assert f'data-address="{reverse("admin:scheduling_task_preview_stored", args=[task.pk])}"' in page
    assert "scheduling/preview.js" in page
