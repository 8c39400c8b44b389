"""A real browser before a real server: Debian's Chromium, driven by Playwright, and uvicorn on the test's database."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from accounts.models import User
from scheduling.db import Connection
from tests.factories import PASSWORD
from tests.support.processes import Started
from tests.support.waiting import wait_until

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)

#: A phone, in CSS pixels.
PHONE = {"width": 390, "height": 844}
SCREEN = {"width": 1440, "height": 900}

#: Nothing is drawn for anybody to see, and one page is looked at after the other. It saves a quarter of the CPU time.
FRUGAL = ("--disable-gpu", "--disable-software-rasterizer", "--in-process-gpu", "--renderer-process-limit=1")

OpenPage = Callable[..., Page]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of this directory, and gone after the last of them."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here; on Debian: apt-get install chromium")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright leaves an event loop in this thread, and Django's models would refuse to work beside one.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        expect.set_options(timeout=20_000)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FRUGAL])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def web_process(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A web server, a process of its own that works on this test's database."""
    output = tmp_path_factory.mktemp("browser") / "server.log"
    # The settings of the tests, as those hash passwords by the quick method and sign sessions with a known key.
    process = Started(
        output,
        program=["-m", "uvicorn", "config.asgi:application", "--port", "0"],
        DJANGO_SETTINGS_MODULE="tests.browser.served_settings",
    )

    yield process
    process.end()


@pytest.fixture(scope="package")
def server(web_process: Started) -> str:
    """The address of the web server."""

    def address() -> str:
        assert web_process.process.poll() is None, web_process.said()
        found = re.search(r"running on (http://\S+)", web_process.said())
        return found[1] if found else ""

    return wait_until(address, what="the server listens")


@contextmanager
def opened_pages(browser: Browser, server: str, web_process: Started) -> Iterator[OpenPage]:
    """Open pages: ``open_page(user)`` is logged in, ``open_page()`` is not; each page is a browser of its own.

    Options are those of Playwright's contexts, such as ``viewport`` and ``locale``. A script that fails, or a
    resource that is refused, fails the test.
    """
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_one(user: User | None = None, **options: object) -> Page:
        settings: dict[str, object] = {"base_url": server, "viewport": SCREEN, "locale": "en-GB", **options}
        context = browser.new_context(**settings)  # type: ignore[arg-type] # as the test gives them
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server}])
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert wrong == [], f"{wrong}\n{web_process.said()[-4000:]}"


@pytest.fixture
def open_page(conn: Connection, chromium: Browser, web_process: Started, server: str) -> Iterator[OpenPage]:
    """Open pages on a database that is emptied after the test, see `opened_pages`."""
    with opened_pages(chromium, server, web_process) as open_one:
        yield open_one


def log_in(page: Page, user: User) -> None:
    """Fill the log-in form; afterwards the page shows the admin's index."""
    page.goto("/admin/login/?next=/admin/")
    page.fill('input[name="username"]', user.get_username())
    page.fill('input[name="password"]', PASSWORD)
    page.click('button[type="submit"]')
    page.wait_for_url("/admin/")
