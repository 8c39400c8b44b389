"""What an operator does in a day, with nothing but the browser; server, scheduler and worker are real processes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.plugin import DjangoDbBlocker

from config.database.url import url_of_default
from scheduling.engine.partitions import forget_known_partitions
from tests.browser.conftest import opened_pages
from tests.factories import make_namespace, make_user
from tests.support.empty_tables import emptied_at_the_end
from tests.support.processes import Started
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

TASKS = "/admin/scheduling/task/"
LINES = ".rota-log-row:not(.rota-log-probe) .rota-log-text"

#: Pages ask by themselves every few seconds; with this they only ask when they are told that something happened.
DEAF_TO_CLOCKS = "const soon = setTimeout; window.setTimeout = (act, ms) => (ms > 2000 ? 0 : soon(act, ms));"


@pytest.fixture(scope="module", autouse=True)
def _fleet(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A scheduler and a worker for all tests of this module, which share one database and do not empty it."""
    folder = tmp_path_factory.mktemp("fleet")
    with django_db_blocker.unblock(), emptied_at_the_end():
        forget_known_partitions()
        make_namespace()
        connections.close_all()
        processes = {
            "scheduler: ": Started(folder / "scheduler.log", "runscheduler"),
            "worker: w started": Started(
                folder / "worker.log",
                "runworker",
                "--name",
                "w",
                "--handlers",
                "shell,python,http,sql",
                ROTA_TASK_MODULES="tests.processes.functions",
                ROTA_SECRET_URL=url_of_default().replace("postgresql://", "postgresql+psycopg://", 1),
            ),
        }
        try:
            for sign, process in processes.items():
                wait_until(lambda: sign in process.said(), what=f"{sign!r} is said")  # noqa: B023 - called at once
            with django_db_blocker.block():
                yield
        finally:
            for process in processes.values():
                process.end()


@pytest.fixture
def page(transactional_db: None, chromium: Browser, server: str, web_process: Started) -> Iterator[Page]:
    """The page of an operator who is logged in."""
    with opened_pages(chromium, server, web_process) as open_page:
        yield open_page(make_user(superuser=True))


def save_new_task(page: Page, handler: str, name: str, **fields: str) -> None:
    """Choose the handler, fill its form, save it; the page is then the task's own."""
    page.goto(f"{TASKS}add/")
    page.locator(f'a.rota-card[href="?handler={handler}"]').click()
    page.locator('[name="name"]').fill(name)
    for field, value in fields.items():
        control = page.locator(f'[name="{field}"]')
        if control.evaluate("each => each.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)
    page.locator('[name="_continue"]').click()
    expect(page.get_by_text("was added successfully")).to_be_visible()


def run_now(page: Page) -> None:
    """Press the button on the task's page and go where the message leads."""
    page.get_by_role("button", name="Run now").click()
    page.locator("a", has_text=re.compile(r"^#\d+$")).first.click()
    expect(page).to_have_url(re.compile(r"/taskinstance/\d+/change/"))


def state(page: Page) -> Locator:
    """Where a page of one thing says how it stands."""
    return page.locator(".rota-facts:not(.rota-kind)").first


def open_log(page: Page) -> None:
    """From the page of an instance, as soon as it lists an attempt."""
    page.get_by_role("link", name="Log", exact=True).first.click()
    expect(page).to_have_url(re.compile(r"/execution/\d+/log/"))


def test_a_shell_task_is_made_run_and_followed_line_by_line_until_it_ends(page: Page, tmp_path: Path) -> None:
    gates = [tmp_path / "first", tmp_path / "second"]
    waits = "".join(
        f"while [ ! -e {gate} ]; do sleep 0.05; done; echo after {gate.name} on $((40 + 2))\n" for gate in gates
    )
    save_new_task(page, "shell", "follow me", param_command=f"echo before\n{waits}")
    run_now(page)
    expect(state(page)).to_contain_text("running")
    open_log(page)
    for number, gate in enumerate(gates, 1):
        expect(page.locator(LINES)).to_have_count(number)
        gate.touch()
    expect(page.locator(LINES)).to_have_text(["before", "after first on 42", "after second on 42"])
    expect(state(page)).to_contain_text("succeeded")


def test_a_python_task_shows_what_its_function_returned(page: Page) -> None:
    save_new_task(page, "python", "a function", param_function="tests.give", param_kwargs='{"value": {"answer": 42}}')
    run_now(page)
    expect(state(page)).to_contain_text("succeeded")
    expect(page.locator("body")).to_contain_text('"answer"')


def test_an_http_task_shows_the_response_with_its_status(page: Page, server: str) -> None:
    save_new_task(page, "http", "a request", param_url=f"{server}/healthz")
    run_now(page)
    expect(state(page)).to_contain_text("succeeded")
    result = page.get_by_role("region", name="Result")
    expect(result).to_contain_text("200 OK")
    result.locator("summary", has_text="headers").click()
    expect(result).to_contain_text("application/json")


def test_an_sql_task_by_a_connection_made_in_the_browser_shows_its_rows(page: Page) -> None:
    page.goto("/admin/workers/connection/add/")
    page.locator('[name="name"]').fill("here")
    page.locator('[name="url"]').fill("${ROTA_SECRET_URL}")
    page.locator('[name="_save"]').click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    statement = "SELECT n AS number, n * n AS square FROM generate_series(1, 3) n"
    save_new_task(page, "sql", "a report", param_connection="here", param_statement=statement)
    run_now(page)
    expect(state(page)).to_contain_text("succeeded")
    rows = page.locator("table", has_text="square").locator("tbody tr")
    expect(rows).to_have_text([re.compile(r"1\s*1"), re.compile(r"2\s*4"), re.compile(r"3\s*9")])


def test_tasks_with_triggers_run_by_themselves_and_their_open_pages_show_it(page: Page) -> None:
    save_new_task(page, "shell", "once", param_command="true", trigger="once", delay_seconds="1")
    expect(page.locator(".rota-run-succeeded")).to_have_count(1)
    expect(state(page)).to_contain_text("finished")
    every_second = {
        "cron": {"cron_expression": "* * * * * *", "timezone": "Europe/Berlin"},
        "interval": {"every_seconds": "1"},
        "fixed_delay": {"every_seconds": "1"},
    }
    for trigger, fields in every_second.items():
        save_new_task(page, "shell", f"by {trigger}", param_command="true", trigger=trigger, **fields)
        expect(page.locator(".rota-run-succeeded").nth(1)).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        expect(state(page)).to_contain_text("paused")


def test_lists_and_pages_that_are_open_are_told_what_happens(page: Page, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    save_new_task(page, "shell", "is watched", param_command=f"while [ ! -e {gate} ]; do sleep 0.05; done")
    page.context.add_init_script(DEAF_TO_CLOCKS)
    page.reload()
    run_now(page)
    number = page.url.split("/")[-3]
    expect(state(page)).to_contain_text("running")
    with page.context.new_page() as instances, page.context.new_page() as tasks:
        instances.goto("/admin/scheduling/taskinstance/")
        tasks.goto(f"{TASKS}?q=is+watched")
        row, last = instances.locator("tr", has_text=f"#{number}"), tasks.locator("tr", has_text="is watched")
        expect(row).to_contain_text("running")
        expect(last).to_contain_text("running")
        gate.touch()
        expect(row).to_contain_text("succeeded")
        expect(last).to_contain_text("succeeded")
    expect(state(page)).to_contain_text("succeeded")


def test_a_running_instance_is_cancelled_with_a_word_for_those_who_ask_later(page: Page) -> None:
    save_new_task(page, "shell", "runs for long", param_command="echo begun; sleep 600")
    run_now(page)
    expect(state(page)).to_contain_text("running")
    page.get_by_role("link", name="Cancel", exact=True).click()
    page.get_by_label("Why").fill("it was the wrong day")
    page.locator("button[name]", has_text="Cancel").click()
    expect(state(page)).to_contain_text("cancelled")
    expect(page.locator("body")).to_contain_text("it was the wrong day")


def test_a_failure_comes_to_the_open_dashboard_with_its_sentence_and_leads_to_its_instance(page: Page) -> None:
    save_new_task(page, "shell", "breaks", param_command="echo no such luck >&2; exit 3")
    task = page.url
    page.add_init_script(DEAF_TO_CLOCKS)
    page.goto("/admin/")
    failures = page.get_by_role("region", name="Latest failures")
    expect(page.locator("#vital-failures")).to_be_visible()
    expect(page.get_by_text("breaks")).to_have_count(0)
    with page.context.new_page() as other:
        other.goto(task)
        other.get_by_role("button", name="Run now").click()
        expect(other.get_by_text("run was queued")).to_be_visible()
    expect(failures).to_contain_text("breaks")
    expect(failures).to_contain_text("exit code 3")
    failures.locator("li", has_text="breaks").locator("a", has_text="#").click()
    expect(state(page)).to_contain_text("failed")


def test_the_language_is_changed_in_the_menu_and_stays(page: Page) -> None:
    save_new_task(page, "shell", "greets", param_command="true")
    run_now(page)
    expect(state(page)).to_contain_text("succeeded")
    page.get_by_role("button", name=re.compile(r"user-\d+")).click()
    page.get_by_role("link", name="Preferences").click()
    page.get_by_label("Language").select_option("zh-hans")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    page.goto("/admin/scheduling/taskinstance/")
    expect(page.locator("tr", has_text="greets")).to_contain_text("成功")
