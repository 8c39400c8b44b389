"""Open pages while the database stands still: each says so, keeps what it shows, and goes on by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, expect

from scheduling.db import Connection
from scheduling.engine.partitions import create_ahead
from tests.consumers.conftest import Hand, running_execution
from tests.factories import make_user
from tests.support.proxy import LosingProxy, losing_proxy, url_through
from tests.support.web_server import web_server

pytestmark = [pytest.mark.processes]

#: What a page says of it: in time, however busy the machine is.
PATIENCE_MS = 60_000


@pytest.fixture
def proxy(conn: Connection) -> Iterator[LosingProxy]:
    """What lies between the web server and its database."""
    create_ahead(conn, now=datetime.now(UTC), days=1)
    with losing_proxy(conn) as found:
        yield found


@pytest.fixture
def browser(chromium: Browser, proxy: LosingProxy, tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser before a web server behind the proxy, logged in; it may meet errors."""
    with web_server(
        tmp_path / "server.log",
        DATABASE_URL=url_through(proxy),
        DJANGO_SETTINGS_MODULE="tests.browser.served_settings",
    ) as (address, _process):
        context = chromium.new_context(base_url=address, locale="en-GB")
        client = Client()
        client.force_login(make_user(superuser=True))
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])
        yield context
        context.close()


def test_open_pages_say_that_the_database_stands_still_and_go_on_when_it_does(
    conn: Connection, proxy: LosingProxy, browser: BrowserContext
) -> None:
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    hand.write("before\n")
    log, dashboard, instances, instance = (browser.new_page() for _ in range(4))
    log.goto(f"/admin/workers/execution/{execution.pk}/log/")
    dashboard.goto("/admin/")
    instances.goto("/admin/scheduling/taskinstance/")
    instance.goto(f"/admin/scheduling/taskinstance/{execution.instance_id}/change/")
    box, notice = log.locator('[data-log="box"]'), log.locator('[data-log="notice"]')
    expect(box).to_contain_text("before")
    expect(notice).to_be_hidden()
    others = [page.locator("[data-live-notice]") for page in (dashboard, instances, instance)]
    for each in others:
        expect(each).to_be_hidden()
    proxy.freeze()
    for each in others:
        expect(each).to_have_text(re.compile("does not answer"), timeout=PATIENCE_MS)
    expect(notice).to_have_text(re.compile("No answer for a while|does not answer"), timeout=PATIENCE_MS)
    expect(box).to_contain_text("before")
    hand.write("meanwhile\n")
    proxy.thaw()
    expect(box).to_contain_text("meanwhile", timeout=PATIENCE_MS)
    expect(box.get_by_text("before")).to_have_count(1)
    expect(notice).to_be_hidden()
    for each in others:
        # By itself within a minute, and at once when somebody looks at it again.
        each.page.evaluate("document.dispatchEvent(new Event('rota:changed'))")
        expect(each).to_be_hidden(timeout=PATIENCE_MS)
