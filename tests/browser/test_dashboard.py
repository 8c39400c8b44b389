"""The dashboard and the fleet calendar in a browser: they follow what happens, and hands without a mouse reach all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from scheduling.db import Connection
from scheduling.engine.fold_statistics import fold_statistics
from scheduling.engine.partitions import create_ahead
from tests.browser.conftest import PHONE, OpenPage
from tests.factories import make_task, make_user
from tests.web.api.work import ended, free_task
from workers.domain.states import ExecutionState

pytestmark = [pytest.mark.processes]

PAGES = ["/admin/", "/admin/fleet-calendar/"]


@pytest.fixture
def some_work(conn: Connection) -> None:
    """Something on each chart."""
    create_ahead(conn, now=datetime.now(UTC), days=1)
    ended(free_task(name="went-well"))
    make_task(name="hourly", trigger="cron", cron_expression="*/20 * * * *")
    fold_statistics(conn)


def say_that_something_changed(page: Page) -> None:
    """What a push does; without one the page looks by itself every few seconds."""
    page.evaluate("document.dispatchEvent(new CustomEvent('rota:changed'))")


def test_a_failure_appears_on_the_open_page_and_what_was_unfolded_stays_so(
    open_page: OpenPage, conn: Connection, some_work: None
) -> None:
    page = open_page(make_user(superuser=True))
    page.goto("/admin/")
    expect(page.get_by_text("Nothing failed within 30 days.")).to_be_visible()
    page.locator("#outcomes-table summary").click()
    page.locator("#outcomes-table summary").focus()
    ended(free_task(name="went-wrong"), ExecutionState.FAILED)
    fold_statistics(conn)
    say_that_something_changed(page)
    expect(page.locator(".rota-failures")).to_contain_text("went-wrong")
    expect(page.locator("#vital-failures strong")).to_have_text("1")
    expect(page.locator("#outcomes-table table")).to_be_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_the_open_page_looks_by_itself(open_page: OpenPage, some_work: None) -> None:
    page = open_page(make_user(superuser=True))
    page.clock.install()
    page.goto("/admin/")
    with page.expect_response(lambda answer: "part=now" in answer.url) as answer:
        page.clock.fast_forward(10_000)
    assert answer.value.status == 200


def test_a_bar_says_below_the_chart_what_it_stands_for(open_page: OpenPage, some_work: None) -> None:
    page = open_page(make_user(superuser=True))
    page.goto("/admin/")
    page.locator("[data-says=outcomes-says] .rota-hit").last.hover()
    expect(page.locator("#outcomes-says")).not_to_be_empty()


def test_an_hour_of_the_calendar_is_reached_and_opened_with_keys(open_page: OpenPage, some_work: None) -> None:
    page = open_page(make_user(superuser=True))
    page.goto("/admin/fleet-calendar/")
    first = page.locator("#heat-coming + table td a").first
    first.focus()
    column = first.evaluate("link => link.closest('td').cellIndex")
    page.keyboard.press("ArrowDown")
    below = page.evaluate("document.activeElement.closest('td').cellIndex")
    assert below == column
    assert not first.evaluate("link => link === document.activeElement")
    page.keyboard.press("Enter")
    expect(page.locator("#hour")).to_contain_text("hourly")
    # Without loading the page anew.
    expect(page.locator("[data-grid-keys] [aria-current]")).to_have_count(1)


@pytest.mark.parametrize("address", PAGES)
def test_on_a_phone_in_the_dark_nothing_is_wider_than_the_screen(
    open_page: OpenPage, some_work: None, address: str
) -> None:
    page = open_page(make_user(superuser=True), viewport=PHONE, color_scheme="dark")
    page.goto(address)
    expect(page.locator(".rota-panel:not([hidden])").first).to_be_visible()
    # Until their font is there, the symbols of the frame around the page are long words.
    page.evaluate("document.fonts.ready.then(() => true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
