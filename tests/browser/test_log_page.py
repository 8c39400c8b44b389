"""The log page in a browser: it follows, is read backwards, searched and linked, and shows everything harmlessly."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from accounts.models import User
from scheduling.db import Connection
from scheduling.services import run_task_now
from tests.browser.conftest import PHONE, OpenPage
from tests.consumers.conftest import Hand, running_execution
from tests.factories import make_task, make_user
from tests.support.processes import Started
from tests.support.waiting import wait_until
from workers.models import Execution

pytestmark = [pytest.mark.processes]

ROWS = ".rota-log-row:not(.rota-log-probe)"


def show(open_page: OpenPage, execution: Execution, anchor: str = "", **options: object) -> Page:
    page = open_page(make_user(superuser=True), **options)
    page.goto(f"/admin/workers/execution/{execution.pk}/log/{anchor}")
    return page


@pytest.fixture
def worker(conn: Connection, tmp_path: Path) -> Iterator[Started]:
    """A worker that is online."""
    process = Started(tmp_path / "worker.log", "runworker", "--handlers", "shell", "--name", "w")
    try:
        wait_until(lambda: "worker: w started" in process.said(), what="the worker has started")
        yield process
    finally:
        process.end()


def test_a_running_task_is_followed_live_until_it_ends(
    conn: Connection, worker: Started, open_page: OpenPage, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    command = f"echo begun; while [ ! -e {gate} ]; do sleep 0.05; done; seq 1 5000; echo the end >&2"
    instance = run_task_now(make_task(params={"command": command}))
    execution = wait_until(Execution.objects.filter(instance=instance.pk).first, what="the worker has it")
    assert execution is not None
    page = show(open_page, execution)
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(".rota-facts")).to_contain_text("running")
    gate.touch()
    expect(page.locator(ROWS).last).to_contain_text("the end")
    expect(page.locator("#rota-log-viewer")).to_have_attribute("data-ended", "yes")
    expect(page.locator(".rota-facts")).to_contain_text("succeeded")
    rows = page.locator(ROWS)
    assert rows.count() < 100, "only what fits on the screen is in the page"
    assert rows.last.locator(".rota-log-number").inner_text().strip() == "5002"
    assert rows.nth(rows.count() - 2).locator(".rota-log-text").inner_text() == "5000"


#: The numbers of the lines that are wholly in sight, after the page was drawn.
IN_SIGHT = """async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const pane = document.querySelector(".rota-log-pane").getBoundingClientRect();
  return [...document.querySelectorAll(".rota-log-rows > .rota-log-row")]
    .filter((row) => row.getBoundingClientRect().top >= pane.top - 1)
    .filter((row) => row.getBoundingClientRect().bottom <= pane.bottom + 1)
    .filter((row) => !row.querySelector(".rota-log-coming"))
    .map((row) => Number(row.querySelector(".rota-log-number").textContent));
}"""


def long_log(conn: Connection, *, lines: int = 60_000) -> Execution:
    """Chunks of a thousand lines; every tenth chunk is of the other stream."""
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    for start in range(0, lines, 1000):
        body = "".join(f"line {number} of many\n" for number in range(start + 1, start + 1001))
        hand.write(body, stream="stderr" if start % 10_000 == 0 else "stdout")
    hand.end()
    return execution


def test_a_long_log_opens_at_its_end_and_is_read_searched_filtered_and_linked(
    conn: Connection, open_page: OpenPage
) -> None:
    execution, page, asked = long_log(conn), open_page(make_user(superuser=True)), []

    def without_one(route: Route) -> None:
        asked.append(route.request.url)
        answer = route.fetch()
        said = answer.json()
        chunks = [chunk for chunk in said["chunks"] if chunk["seq"] != 20]
        route.fulfill(response=answer, json={**said, "chunks": chunks})

    page.route("**/log/?after=*", without_one)
    page.goto(f"/admin/workers/execution/{execution.pk}/log/")
    rows = page.locator(ROWS)
    expect(rows.last).to_contain_text("line 60000 of many")
    page.fill('[data-log="jump"] input', "20500")
    page.keyboard.press("Enter")
    expect(page.locator(".rota-log-marked")).to_contain_text("This part of the log was removed.")
    before = len(asked)
    page.evaluate(IN_SIGHT)
    page.evaluate(IN_SIGHT)
    assert len(asked) == before, "what is gone was asked for again"
    # Answers that are still on their way would outlive the page.
    page.unroute_all(behavior="wait")
    page.fill('[data-log="jump"] input', "12345")
    page.keyboard.press("Enter")
    expect(page.locator(".rota-log-marked")).to_contain_text("line 12345 of many")
    expect(page.locator('[data-log="follow"]')).to_have_attribute("aria-pressed", "false")
    page.fill('[data-log="search"] input', "LINE 4242")
    page.keyboard.press("Enter")
    expect(page.locator('[data-log="search"] output')).to_have_text("1 / 11")
    expect(page.locator(".rota-log-marked mark")).to_have_text("line 4242")
    page.keyboard.press("Enter")
    expect(page.locator(".rota-log-marked")).to_contain_text("line 42420 of many")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".rota-log-marked")).to_contain_text("line 4242 of many")
    page.select_option('[data-log="stream"]', "stderr")
    page.click('[data-log="follow"]')
    expect(rows.last).to_contain_text("line 51000 of many")
    expect(rows.last.locator(".rota-log-number")).to_have_text("51000", use_inner_text=False)
    page.select_option('[data-log="stream"]', "")
    page.goto(page.url.split("#")[0] + "#L777")
    page.reload()
    expect(page.locator(".rota-log-marked")).to_contain_text("line 777 of many")
    page.locator('[data-log="box"]').focus()
    page.keyboard.press("End")
    expect(rows.last).to_contain_text("line 60000 of many")
    page.keyboard.press("Home")
    expect(rows.first).to_contain_text("line 1 of many")
    assert rows.count() < 100


SCROLL_THROUGH = """async () => {
  const [box, seen] = [document.querySelector(".rota-log-box"), new Set()];
  for (let at = 0; at < box.scrollHeight; at += 150) {
    box.scrollTop = at;
    (await (IN_SIGHT)()).forEach((number) => seen.add(number));
  }
  return [...seen];
}""".replace("IN_SIGHT", IN_SIGHT)


def test_lines_that_are_wrapped_are_all_reached_and_what_is_sought_is_in_sight(
    conn: Connection, open_page: OpenPage
) -> None:
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    hand.write("".join(f"line {number}: {'word ' * 100}\n" for number in range(1, 26)))
    page = show(open_page, execution)

    def in_sight() -> list[int]:
        return list(page.evaluate(IN_SIGHT))

    def sent_to(number: int) -> bool:
        expect(page.locator(".rota-log-marked")).to_contain_text(f"line {number}:")
        return number in in_sight()

    wait_until(lambda: 25 in in_sight(), what="the end is in sight")
    expect(page.locator('[data-log="follow"]')).to_have_attribute("aria-pressed", "true")
    hand.write("".join(f"line {number}: {'word ' * 100}\n" for number in range(26, 61)))
    wait_until(lambda: 60 in in_sight(), what="the new end is in sight")
    page.fill('[data-log="jump"] input', "45")
    page.keyboard.press("Enter")
    assert sent_to(45)
    page.fill('[data-log="search"] input', "line 52:")
    page.keyboard.press("Enter")
    assert sent_to(52)
    page.evaluate("location.hash = '#L60'")
    assert sent_to(60)
    expect(page.locator('[data-log="follow"]')).to_have_attribute("aria-pressed", "false")
    page.evaluate("location.hash = '#L3'")
    assert sent_to(3)
    assert set(page.evaluate(SCROLL_THROUGH)) == set(range(1, 61))
    expect(page.locator('[data-log="follow"]')).to_have_attribute("aria-pressed", "true")


def test_a_log_that_grows_is_searched_as_it_is_now_and_its_times_are_those_of_the_readers_zone(
    conn: Connection, open_page: OpenPage
) -> None:
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    hand.write("one word\nanother word\n")
    reader = make_user(superuser=True)
    User.objects.filter(pk=reader.pk).update(time_zone="Asia/Kathmandu")
    page = open_page(reader, timezone_id="America/New_York")
    page.goto(f"/admin/workers/execution/{execution.pk}/log/")
    rows, sought, count = page.locator(ROWS), page.locator('[data-log="search"] input'), page.locator("output")
    expect(rows).to_have_count(2)
    sought.fill("word")
    sought.press("Enter")
    expect(count).to_have_text("1 / 2")
    hand.write("the last word\n")
    expect(rows).to_have_count(3)
    sought.press("Enter")
    expect(count).to_have_text("2 / 3")
    late: list[Route] = []
    page.route("**/log/search/?text=one*", lambda route: late.append(route))
    sought.fill("one")
    sought.press("Enter")
    wait_until(lambda: page.evaluate("1") and late, what="the first question is asked")
    sought.fill("last")
    sought.press("Enter")
    expect(page.locator(".rota-log-marked")).to_contain_text("the last word")
    with page.expect_request_finished():
        late[0].continue_()
    page.evaluate(IN_SIGHT)
    expect(page.locator(".rota-log-marked")).to_contain_text("the last word")
    expect(page.locator(".rota-log-marked mark")).to_have_text("last")
    begun = execution.started_at.astimezone(ZoneInfo("Asia/Kathmandu"))
    hand.write("in the night\n", after=timedelta(hours=22))
    hand.write("the next day\n", after=timedelta(hours=23))
    expect(rows).to_have_count(5)
    page.select_option('[data-log="times"]', label="Date and time, Asia/Kathmandu")
    expect(rows.first.locator("time")).to_have_text(f"{begun:%Y-%m-%d %H:%M:%S}")
    # An hour before the beginning can only be meant of the next day.
    for wanted, line in ((begun + timedelta(minutes=1), "in the night"), (begun - timedelta(hours=1), "the next day")):
        page.fill('[data-log="jump"] input', f"{wanted:%H:%M:%S}")
        page.keyboard.press("Enter")
        expect(page.locator(".rota-log-marked")).to_contain_text(line)
    page.fill('[data-log="jump"] input', f"{begun:%Y-%m-%d %H:%M}")
    page.keyboard.press("Enter")
    expect(page.locator(".rota-log-marked")).to_contain_text("one word")


def test_whatever_a_task_writes_is_text(conn: Connection, open_page: OpenPage) -> None:
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    hand.write("<img src=x onerror=alert(1)><script>alert(2)</script>\n")
    hand.write("broken \ufffd\ufffd and zero \ufffd\n\x1b[2J\x1b[1;31mred\x1b[0m plain\n")
    hand.write("\x1b[31m.\x1b[32m." * 30_000 + "\n" + "x" * 60_000)
    hand.write("y" * 60_000 + "\nhalf", stream="stdout")
    hand.write("other\n", stream="stderr")
    hand.write("10 %\r50 %\r100 %\r\n")
    hand.end()
    page = show(open_page, execution)
    rows = page.locator(ROWS)
    expect(rows.last).to_contain_text("100 %")
    page.locator('[data-log="box"]').focus()
    page.keyboard.press("Home")
    expect(rows.first.locator(".rota-log-text")).to_have_text("<img src=x onerror=alert(1)><script>alert(2)</script>")
    expect(page.locator(".rota-log-box img, .rota-log-box script")).to_have_count(0)
    expect(page.locator(".ansi-fore-1.ansi-bold")).to_have_text("red")
    assert page.locator(".rota-log-box span").count() < 1000
    expect(rows.nth(4)).to_contain_text("the line goes on")
    assert [row.strip() for row in rows.locator(".rota-log-text").all_inner_texts()[5:]] == ["half", "other", "100 %"]


def test_a_lost_connection_is_said_and_mended_without_a_gap(conn: Connection, open_page: OpenPage) -> None:
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    hand.write("before\n")
    page = open_page(make_user(superuser=True))
    sockets: list[WebSocketRoute] = []
    cut = {"now": False}

    def between(route: WebSocketRoute) -> None:
        if cut["now"]:
            route.close(code=1012, reason="restart")
            return
        route.connect_to_server()
        sockets.append(route)

    page.route_web_socket("**/ws/**", between)
    page.goto(f"/admin/workers/execution/{execution.pk}/log/")
    expect(page.locator(ROWS)).to_have_count(1)
    wait_until(lambda: page.evaluate("1") and sockets, what="the page follows")
    cut["now"] = True
    sockets[0].close(code=1012, reason="restart")
    expect(page.locator('[data-log="notice"]')).to_contain_text("connection was lost")
    hand.write("while it was away\n")
    cut["now"] = False
    hand.write("after\n")
    hand.end()
    expect(page.locator(f"{ROWS} .rota-log-text")).to_have_text(["before", "while it was away", "after"])
    expect(page.locator('[data-log="notice"]')).to_be_hidden()


def test_progress_is_a_bar_and_nothing_is_wider_than_a_phone(conn: Connection, open_page: OpenPage) -> None:
    execution = running_execution(conn)
    hand = Hand(conn, execution)
    page = show(open_page, execution, viewport=PHONE, color_scheme="dark")
    expect(page.locator('[data-log="empty"]')).to_contain_text("Nothing was written yet")
    hand.write("progress: 3/10 (30 %) rows loaded\n", stream="log")
    expect(page.locator('[data-log="progress"]')).to_contain_text("3/10 (30 %) rows loaded")
    assert page.locator("progress").evaluate("bar => bar.value / bar.max") == pytest.approx(0.3)
    # Also of what was said before the page was opened.
    page.reload()
    expect(page.locator('[data-log="progress"]')).to_contain_text("3/10 (30 %) rows loaded")
    hand.write("x" * 3000 + "\n")
    expect(page.locator(ROWS)).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
