"""Open pages follow what happens, without being loaded again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from scheduling.db import Connection
from scheduling.engine.partitions import create_ahead
from scheduling.models import TaskClock
from tests.browser.conftest import OpenPage
from tests.factories import make_task, make_user
from tests.support.waiting import wait_until
from tests.web.api.work import end, ended, free_task, running

pytestmark = [pytest.mark.processes]


@pytest.fixture(autouse=True)
def _days(conn: Connection) -> None:
    """Today has its partitions."""
    create_ahead(conn, now=datetime.now(UTC), days=1)


def look_now(page: Page) -> None:
    """Say that something happened, as a push does."""
    page.evaluate("document.dispatchEvent(new Event('rota:changed'))")


def looked(page: Page) -> bool:
    """The same, as the beginning of a condition."""
    look_now(page)
    return True


def test_the_page_of_a_running_instance_shows_its_end(open_page: OpenPage) -> None:
    claimed = running()
    page = open_page(make_user(superuser=True))
    page.goto(f"/admin/scheduling/taskinstance/{claimed.instance_id}/change/")
    head = page.locator(".rota-head").first
    expect(head).to_contain_text("running")
    end(claimed)
    look_now(page)
    expect(head).to_contain_text("succeeded")
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    expect(page.locator("[data-live]")).to_have_count(0)


def test_the_page_of_a_task_shows_a_new_run_and_keeps_what_is_typed(open_page: OpenPage) -> None:
    task = free_task()
    ended(task)
    page = open_page(make_user(superuser=True))
    page.goto(f"/admin/scheduling/task/{task.pk}/change/")
    expect(page.locator(".rota-run")).to_have_count(1)
    page.fill('[name="name"]', "half a na")
    ended(task)
    look_now(page)
    expect(page.locator(".rota-run")).to_have_count(2)
    expect(page.locator('[name="name"]')).to_have_value("half a na")


def test_the_focus_stays_on_the_same_action_when_a_link_before_it_goes(open_page: OpenPage) -> None:
    claimed = running(task := free_task())
    page = open_page(make_user(superuser=True))
    page.goto(f"/admin/scheduling/task/{task.pk}/change/")
    unfinished = page.locator(".rota-last")
    expect(unfinished).to_have_count(1)
    run_with = page.get_by_role("link", name="Run with")
    run_with.focus()
    end(claimed)
    look_now(page)
    expect(unfinished).to_have_count(0)
    expect(run_with).to_be_focused()
    # What is gone hands its focus to nothing.
    again = running(task)
    look_now(page)
    expect(unfinished).to_have_count(1)
    unfinished.focus()
    end(again)
    look_now(page)
    expect(unfinished).to_have_count(0)
    expect(page.locator("[data-live] :focus")).to_have_count(0)


@pytest.mark.parametrize("path", ["taskinstance/", "task/{}/change/"])
def test_a_page_whose_server_does_not_answer_says_so_in_words_until_it_does(open_page: OpenPage, path: str) -> None:
    task = free_task()
    ended(task)
    page = open_page(make_user(superuser=True))
    page.goto(f"/admin/scheduling/{path.format(task.pk)}")
    notice = page.locator("[data-live-notice]")
    expect(notice).to_be_hidden()
    # In the page itself, since the browser would log an answer of the server as an error.
    page.evaluate("window.asked = window.fetch; window.fetch = async () => new Response('', {status: 503})")
    wait_until(lambda: looked(page) and notice.is_visible(), what="the page says so")
    expect(notice).to_contain_text("The database does not answer.")
    page.evaluate("window.fetch = window.asked")
    wait_until(lambda: looked(page) and notice.is_hidden(), what="it has an answer again")
    page.route("**/admin/scheduling/**", lambda route: route.fulfill(status=302, headers={"Location": "/admin/login/"}))
    wait_until(lambda: looked(page) and notice.is_visible(), what="the page says so")
    expect(notice).to_contain_text("You are logged out.")


def test_the_next_fire_is_counted_down(open_page: OpenPage) -> None:
    task = make_task(trigger="cron", cron_expression="0 12 * * *")
    at = datetime.now(UTC) + timedelta(hours=30)
    TaskClock.objects.filter(task=task).update(next_run_at=at, dirty=False)
    page = open_page(make_user(superuser=True))
    page.goto(f"/admin/scheduling/task/{task.pk}/change/")
    countdown = page.locator("time[data-countdown]")
    expect(countdown).to_contain_text("1 d 05:59:")
    first = countdown.inner_text()
    expect(countdown).not_to_have_text(first)


def test_a_list_shows_new_states_unless_a_row_is_chosen(open_page: OpenPage) -> None:
    claimed = running()
    page = open_page(make_user(superuser=True))
    page.goto("/admin/scheduling/taskinstance/")
    row = page.locator("tr.data-row").filter(has_text=f"#{claimed.instance_id}")
    expect(row).to_contain_text("running")
    row.locator("input.action-select").check()
    end(claimed)
    look_now(page)
    expect(row.locator("input.action-select")).to_be_checked()
    row.locator("input.action-select").uncheck()
    look_now(page)
    expect(row).to_contain_text("succeeded")


def test_a_new_row_comes_without_a_reload_and_can_be_chosen(open_page: OpenPage) -> None:
    task = free_task()
    ended(task)
    page = open_page(make_user(superuser=True))
    page.goto("/admin/scheduling/taskinstance/")
    rows = page.locator("tr.data-row")
    expect(rows).to_have_count(1)
    page.evaluate("window.stayed = true")
    ended(task)
    look_now(page)
    expect(rows).to_have_count(2)
    assert page.evaluate("window.stayed"), "the page was loaded anew"
    page.locator("#action-toggle").check()
    expect(page.locator("input.action-select:checked")).to_have_count(2)
    expect(page.locator(".action-counter")).to_have_text("2 of 2 selected")


#: Nothing is asked for after a pause, only when something happened; and the next answer is held back on demand.
ONLY_WHEN_TOLD = """
const [wait, ask] = [window.setTimeout, window.fetch];
window.setTimeout = (what, pause) => (pause > 1500 ? 0 : wait(what, pause));
window.held = Promise.resolve();
window.hold = () => { window.held = new Promise((done) => { window.release = done; }); };
window.answered = 0;
window.fetch = async (...asked) => {
  const answer = await ask(...asked);
  window.answered += 1;
  await window.held;
  return answer;
};
"""


def test_rows_come_and_go_around_the_one_with_the_focus_also_while_an_answer_is_under_way(open_page: OpenPage) -> None:
    first, second = running(), running()
    page = open_page(make_user(superuser=True))
    page.add_init_script(ONLY_WHEN_TOLD)
    page.route_web_socket("**/ws/**", lambda _socket: None)
    page.goto("/admin/scheduling/taskinstance/?state=running")
    rows = page.locator("tr.data-row")
    expect(rows).to_have_count(2)
    page.evaluate("window.stayed = true")
    focused = page.get_by_role("link", name=f"#{second.instance_id}", exact=True)
    focused.focus()
    # As many rows as before, but others.
    end(first)
    third = running()
    look_now(page)
    expect(rows.first).to_contain_text(f"#{third.instance_id}")
    expect(focused).to_be_focused()
    before = page.evaluate("hold() ?? answered")
    look_now(page)
    wait_until(lambda: page.evaluate("answered") > before, what="the page has asked")
    running()
    look_now(page)
    page.evaluate("release()")
    expect(rows).to_have_count(3)
    expect(focused).to_be_focused()
    assert page.evaluate("window.stayed"), "the page was loaded anew"


def test_what_is_unfolded_stays_so(open_page: OpenPage) -> None:
    claimed = running()
    page = open_page(make_user(superuser=True))
    page.goto("/admin/workers/node/")
    page.get_by_role("link", name="node-").first.click()
    fold = page.locator("details.rota-fold")
    fold.locator("summary").click()
    expect(page.locator("#now + .rota-scroll")).to_contain_text(f"#{claimed.instance_id}")
    end(claimed)
    look_now(page)
    expect(page.locator("section[aria-labelledby=now]")).to_contain_text("Nothing.")
    expect(fold).to_have_attribute("open", "")
