"""axe-core looks at every page of the console, light and dark; and hands without a mouse reach what matters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.roles import Role
from scheduling.db import Connection
from scheduling.engine.fold_statistics import fold_statistics
from scheduling.engine.partitions import create_ahead
from scheduling.models import Calendar, CalendarRule, Pool, TaskInstance
from scheduling.services import run_task_now
from tests.browser.conftest import PHONE, OpenPage
from tests.factories import make_namespace, make_registration, make_task, make_user
from tests.support.waiting import wait_until
from tests.web.api.work import end, ended, free_task, running, write_log
from workers.domain.states import ExecutionState
from workers.models import Connection as SqlConnection
from workers.models import Execution

pytestmark = [pytest.mark.processes]

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()

#: All pages together would take longer than one test may on a busy machine.
PARTS = 4

#: What is Unfold's own and not ours to mend: the rule, a part of the element's HTML or selector, and why it stays.
OF_UNFOLD = [
    ("link-in-text-block", 'href="../password/"', "Django's sentence beside a password, in Unfold's colours"),
]

# Only colours differ between the two themes.
_RUN = """async onlyColours => (await axe.run(document, {
    resultTypes: ["violations"],
    ...(onlyColours ? {runOnly: ["color-contrast"]} : {}),
})).violations.flatMap(
    found => found.nodes.map(node => (
        {rule: found.id, impact: node.impact, where: node.target.join(" "), html: node.html, why: node.failureSummary}
    ))
)"""


# A colour on its way to another one is neither.
_SHOW = """async dark => {
    const still = new CSSStyleSheet();
    still.replaceSync("* { transition: none !important }");
    document.adoptedStyleSheets = [still];
    document.documentElement.classList.toggle("dark", dark);
    await document.fonts.ready;
}"""


@dataclass(frozen=True)
class World:
    """Something on each page."""

    addresses: list[str]


@pytest.fixture
def world(conn: Connection) -> World:
    """Tasks, instances in each state, a log, a node, a calendar, a pool."""
    create_ahead(conn, now=datetime.now(UTC), days=1)
    namespace = make_namespace()
    member = make_user("ada", default=Role.OPERATOR)
    pool = Pool.objects.create(namespace=namespace, name="licences", slots=1)
    calendar = Calendar.objects.create(namespace=namespace, name="working days")
    CalendarRule.objects.create(calendar=calendar, kind="weekdays", weekdays=[6, 7], note="Weekend")
    connection = SqlConnection.objects.create(namespace=namespace, name="here", url="postgresql://u@h/d")
    hourly = make_task(name="hourly", trigger="cron", cron_expression="*/20 * * * *")
    make_task(name="paused", enabled=False)
    task = free_task(name="nightly")
    node = make_registration(conn, name="host-1")
    ended(task)
    failed = ended(task, ExecutionState.FAILED)
    ended(task, ExecutionState.TIMED_OUT)
    live = running(free_task(name="long", pool=pool), node=node)
    write_log(live, "\x1b[31mred\x1b[0m and \x1b[34mblue\x1b[0m\n", "progress: 3/10 (30 %) rows\n", "plain\n")
    waiting = run_task_now(make_task(name="waits", queue="gpu"))
    done = running(free_task(name="report"))
    end(done, result='{"rows": [[1, 2]], "columns": ["a", "b"], "row_count": 1}')
    fold_statistics(conn)
    at = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H")
    execution = Execution.objects.get(pk=live.lease_id)
    of_task = f"/admin/scheduling/task/{task.pk}"
    return World(
        [
            "/admin/",
            "/admin/fleet-calendar/",
            f"/admin/fleet-calendar/?hour={at}",
            "/admin/preferences/",
            "/admin/scheduling/task/",
            "/admin/scheduling/task/?q=nothing-has-this-name",
            "/admin/scheduling/task/add/",
            "/admin/scheduling/task/add/?handler=shell",
            f"{of_task}/change/",
            f"/admin/scheduling/task/{hourly.pk}/change/",
            f"{of_task}/revisions/",
            f"{of_task}/ledger/",
            f"{of_task}/backfill/",
            f"{of_task}/run_with/",
            "/admin/scheduling/taskinstance/",
            f"/admin/scheduling/taskinstance/{failed.pk}/change/",
            f"/admin/scheduling/taskinstance/{live.instance_id}/change/",
            f"/admin/scheduling/taskinstance/{live.instance_id}/cancel/",
            f"/admin/scheduling/taskinstance/{waiting.pk}/change/",
            f"/admin/scheduling/taskinstance/{done.instance_id}/change/",
            "/admin/workers/execution/",
            f"/admin/workers/execution/{execution.pk}/change/",
            f"/admin/workers/execution/{execution.pk}/log/",
            "/admin/workers/node/",
            f"/admin/workers/node/{execution.node_id}/change/",
            f"/admin/workers/node/drain/?node={execution.node_id}",
            "/admin/scheduling/scheduler/",
            "/admin/scheduling/calendar/",
            f"/admin/scheduling/calendar/{calendar.pk}/change/",
            "/admin/scheduling/pool/",
            f"/admin/scheduling/pool/{pool.pk}/change/",
            "/admin/scheduling/backfill/",
            "/admin/workers/connection/",
            f"/admin/workers/connection/{connection.pk}/change/",
            "/admin/accounts/namespace/",
            f"/admin/accounts/namespace/{namespace.pk}/change/",
            "/admin/accounts/user/",
            f"/admin/accounts/user/{member.pk}/change/",
        ]
    )


def violations(page: Page, scheme: str) -> list[dict[str, Any]]:
    """Return what axe-core finds on the page, in ``light`` or ``dark`` as the theme's own switch would show it."""
    page.evaluate(_SHOW, scheme == "dark")
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate(_RUN, scheme == "dark")
    return [
        each
        for each in found
        if (each["rule"] == "color-contrast" or each["impact"] in {"serious", "critical"})
        and not any(rule == each["rule"] and part in each["where"] + each["html"] for rule, part, _why in OF_UNFOLD)
    ]


def look(page: Page, address: str) -> list[str]:
    """Return a line for each violation on the page at ``address``, light and dark."""
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 200, f"{address}: {answer.status}"
    assert page.url.endswith(address), f"{address} leads to {page.url}"
    return [
        f"{address} {scheme}: {each['rule']}: {each['html'][:200]}\n    {each['why']}"
        for scheme in ("light", "dark")
        for each in violations(page, scheme)
    ]


@pytest.mark.parametrize("part", range(PARTS))
def test_axe_finds_nothing_on_any_page_light_or_dark(open_page: OpenPage, world: World, part: int) -> None:
    page = open_page(make_user(superuser=True))
    found = [line for address in world.addresses[part::PARTS] for line in look(page, address)]
    if part == 0:
        found += look(open_page(), "/admin/login/")
    assert found == [], "\n".join(found)


@pytest.mark.parametrize(("scheme", "pale"), [("light", "#ddd"), ("dark", "#333")])
def test_words_that_are_hard_to_read_would_be_found(
    open_page: OpenPage, conn: Connection, scheme: str, pale: str
) -> None:
    page = open_page(make_user(superuser=True))
    page.goto("/admin/preferences/")
    assert violations(page, scheme) == []
    page.add_style_tag(content=f"label {{ color: {pale} !important }}")
    assert {each["rule"] for each in violations(page, scheme)} == {"color-contrast"}


def tab_to(thing: Locator) -> None:
    """Press Tab until ``thing`` has the focus."""
    expect(thing).to_be_visible()
    for _press in range(150):
        thing.page.keyboard.press("Tab")
        if thing.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError(f"Tab never reaches {thing}")


def test_a_task_is_run_and_its_run_cancelled_without_a_mouse(open_page: OpenPage, conn: Connection) -> None:
    create_ahead(conn, now=datetime.now(UTC), days=1)
    task = free_task(name="nightly")
    page = open_page(make_user("grace", superuser=True))
    page.goto("/admin/scheduling/task/")
    tab_to(page.get_by_role("link", name="nightly").first)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{page.url.split('/admin')[0]}/admin/scheduling/task/{task.pk}/change/")
    tab_to(page.get_by_role("button", name="Run now"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("run was queued")).to_be_visible()
    instance = TaskInstance.objects.get(task_id=task.pk)
    tab_to(page.get_by_role("link", name=f"#{instance.pk}", exact=True).first)
    page.keyboard.press("Enter")
    tab_to(page.get_by_role("link", name="Cancel"))
    page.keyboard.press("Enter")
    page.get_by_label("Why").focus()
    page.keyboard.type("not today")
    page.keyboard.press("Enter")
    expect(page.locator(".rota-facts").first).to_contain_text("cancelled")


def test_the_menu_of_ones_account_opens_and_closes_by_keys(open_page: OpenPage, conn: Connection) -> None:
    page = open_page(make_user("grace", superuser=True))
    page.goto("/admin/")
    menu = page.get_by_role("navigation", name="Your account")
    expect(menu).to_be_hidden()
    tab_to(page.get_by_role("button", name="grace"))
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


def focused(page: Page, within: str) -> bool:
    """Whether what is focused lies within the element."""
    return bool(page.evaluate("within => !!document.activeElement.closest(within)", within))


def test_the_filters_of_a_list_open_by_keys_and_esc_leads_back(open_page: OpenPage, conn: Connection) -> None:
    page = open_page(make_user(superuser=True), viewport={"width": 1280, "height": 800})
    page.goto("/admin/scheduling/taskinstance/")
    button = page.get_by_role("button", name="Filters")
    tab_to(button)
    page.keyboard.press("Enter")
    expect(page.locator("#changelist-filter")).to_be_visible()
    wait_until(lambda: focused(page, "#changelist-filter"), what="the focus is in the filters")
    page.keyboard.press("Escape")
    expect(page.locator("#changelist-filter")).to_be_hidden()
    expect(button).to_be_focused()


def test_the_side_bar_of_a_phone_opens_and_closes_by_keys_and_leads_back(open_page: OpenPage, conn: Connection) -> None:
    page = open_page(make_user(superuser=True), viewport=PHONE)
    page.goto("/admin/")
    button = page.get_by_role("button", name="Side bar")
    tab_to(button)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Fleet calendar")).to_be_visible()
    wait_until(lambda: focused(page, "#nav-sidebar-inner"), what="the focus is in the side bar")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Fleet calendar")).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Close").press("Enter")
    expect(page.get_by_role("link", name="Fleet calendar")).to_be_hidden()
    expect(button).to_be_focused()
