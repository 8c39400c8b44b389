"""The task form in a browser: what its trigger will do is shown while it is typed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from scheduling.models import Calendar, CalendarRule, Task
from tests.browser.conftest import PHONE, OpenPage, log_in
from tests.factories import make_namespace, make_task, make_user

pytestmark = [pytest.mark.processes]

PANEL = "#trigger-preview"
NEW = "/admin/scheduling/task/add/?handler=shell"


def new_task(open_page: OpenPage, **options: object) -> Page:
    page = open_page(make_user(superuser=True), **options)
    page.goto(NEW)
    page.fill('[name="name"]', "typed")
    page.fill('[name="param_command"]', "true")
    return page


def test_the_panel_follows_what_is_typed_and_what_is_saved_is_what_it_showed(open_page: OpenPage) -> None:
    page = new_task(open_page, timezone_id="Asia/Shanghai")
    panel = page.locator(PANEL)
    expect(panel).to_contain_text("Only by hand")
    page.select_option('[name="trigger"]', "cron")
    page.fill('[name="timezone"]', "Europe/Berlin")
    page.fill('[name="cron_expression"]', "30 2 * * *")
    expect(panel).to_contain_text("At 02:30")
    expect(panel).to_contain_text("Your clock (Asia/Shanghai)")
    expect(panel.locator("tbody tr")).to_have_count(10)
    first = panel.locator("tbody time").first.get_attribute("datetime")
    page.fill('[name="cron_expression"]', "30 2 30 2 *")
    expect(panel.get_by_role("alert")).to_contain_text("never")
    page.fill('[name="cron_expression"]', "30 2 * * *")
    expect(panel.get_by_role("alert")).to_have_count(0)
    assert panel.locator("tbody time").first.get_attribute("datetime") == first
    page.click('[name="_save"]')
    expect(page.locator("body")).to_contain_text("was added successfully")
    task = Task.objects.get(name="typed")
    assert (task.cron_expression, task.timezone) == ("30 2 * * *", "Europe/Berlin")


def test_an_interval_of_a_tenth_of_a_second_is_shown_to_the_millisecond(open_page: OpenPage) -> None:
    page = new_task(open_page)
    page.select_option('[name="trigger"]', "interval")
    page.fill('[name="every_seconds"]', "0.1")
    panel = page.locator(PANEL)
    expect(panel).to_contain_text("Every 0.1 seconds")
    expect(panel).to_contain_text("864000 fires a day")
    # Also the one that falls on a whole second.
    expect(panel.locator("tbody tr").filter(has_text=re.compile(r":\d\d\.\d{3}"))).to_have_count(10)
    assert len(set(panel.locator("tbody time").all_inner_texts())) == 10


def test_somebody_who_fills_the_log_in_form_is_in(open_page: OpenPage) -> None:
    page = open_page()
    log_in(page, make_user("ada", superuser=True))
    expect(page.locator("body")).to_contain_text("ada")


def test_only_the_fields_of_the_chosen_trigger_are_shown(open_page: OpenPage) -> None:
    page = new_task(open_page)
    for trigger, shown, hidden in (
        ("cron", "cron_expression", "every_seconds"),
        ("interval", "every_seconds", "cron_expression"),
    ):
        page.select_option('[name="trigger"]', trigger)
        expect(page.locator(f'[name="{shown}"]')).to_be_visible()
        expect(page.locator(f'[name="{hidden}"]')).to_be_hidden()


def test_a_tick_that_a_calendar_blacks_out_is_marked_on_the_form_of_a_stored_task(open_page: OpenPage) -> None:
    calendar = Calendar.objects.create(namespace=make_namespace(), name="never on Mondays")
    CalendarRule.objects.create(calendar=calendar, kind="weekdays", weekdays=[1], note="Rest")
    task = make_task(trigger="cron", cron_expression="0 12 * * *")
    task.calendars.add(calendar)
    page = open_page(make_user(superuser=True))
    page.goto(f"/admin/scheduling/task/{task.pk}/change/")
    expect(page.locator(f"{PANEL} tr.rota-preview-off").first).to_contain_text("never on Mondays")


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page: OpenPage) -> None:
    page = new_task(open_page, viewport=PHONE, color_scheme="dark")
    page.select_option('[name="trigger"]', "cron")
    page.fill('[name="cron_expression"]', "*/5 9-17 * * mon-fri")
    expect(page.locator(f"{PANEL} tbody tr")).to_have_count(10)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
