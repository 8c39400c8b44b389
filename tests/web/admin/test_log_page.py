"""The log of an execution: in order, in pages, with its streams told apart."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import make_task
from tests.web.admin.history import make_execution, make_instance, make_log
from workers.admin.log_page import PAGE_BYTES, read_page
from workers.models import Execution

pytestmark = pytest.mark.django_db


@pytest.fixture
def execution() -> Execution:
    """An execution that has ended."""
    return make_execution(make_instance(make_task()))


def test_a_log_is_shown_in_order_with_the_name_of_each_stream(root: Client, execution: Execution) -> None:
    make_log(execution, ("stdout", "one\n"), ("stdout", "two\n"), ("stderr", "<b>three</b>\n"), ("stdout", "four\n"))

    page = root.get(reverse("admin:workers_execution_log", args=[execution.pk])).content.decode()

    found = re.findall(r'<span class="rota-stream"[^>]*>(\w+)</span>\s*<pre>(.*?)</pre>', page, re.DOTALL)
    assert found == [("stdout", "one\ntwo\n"), ("stderr", "&lt;b&gt;three&lt;/b&gt;\n"), ("stdout", "four\n")]


def test_pages_follow_each_other_without_a_gap_or_a_double_in_both_directions(execution: Execution) -> None:
    texts = [f"{number}:" + "x" * 60_000 for number in range(10)]
    make_log(execution, *(("stdout", text) for text in texts))

    forward: list[list[str]] = []
    backward: list[list[str]] = []
    page = read_page(execution, start=0)
    while True:
        forward.append([passage.text for passage in page.passages])
        assert sum(map(len, forward[-1])) <= PAGE_BYTES
        if page.later is None:
            break
        page = read_page(execution, start=page.later)
    page = read_page(execution)
    while True:
        backward.insert(0, [passage.text for passage in page.passages])
        if page.earlier is None:
            break
        page = read_page(execution, before=page.earlier)

    assert len(forward) > 2
    assert "".join(chain(*forward)) == "".join(chain(*backward)) == "".join(texts)


def test_the_address_of_a_page_may_be_nonsense(root: Client, execution: Execution) -> None:
    make_log(execution, ("stdout", "words"))
    url = reverse("admin:workers_execution_log", args=[execution.pk])

    for query in ({"from": "x"}, {"from": "-1"}, {"before": "²"}, {"from": "9" * 30}):
        assert root.get(url, query).status_code == 200


def test_colours_of_a_terminal_are_left_out_of_the_page_and_kept_in_the_download(
    root: Client, execution: Execution
) -> None:
    make_log(execution, ("stdout", "\x1b[31mred\x1b[0m\n"), ("stderr", "加油\n"))

    page = root.get(reverse("admin:workers_execution_log", args=[execution.pk])).content.decode()
    download: Any = root.get(reverse("admin:workers_execution_download", args=[execution.pk]))

    assert "red\n" in page
    assert "\x1b" not in page
    assert b"".join(download.streaming_content).decode() == "\x1b[31mred\x1b[0m\n加油\n"
    assert download["Content-Type"] == "text/plain; charset=utf-8"
    assert f"execution-{execution.pk}.log" in download["Content-Disposition"]


def test_an_execution_that_wrote_nothing_says_so(root: Client, execution: Execution) -> None:
    page = root.get(reverse("admin:workers_execution_log", args=[execution.pk])).content.decode()

    assert "Nothing was written." in page
    assert 'http-equiv="refresh"' not in page


def test_the_page_of_what_still_runs_looks_again_by_itself(root: Client) -> None:
    running = make_execution(make_instance(make_task(), state="ready"))

    page = root.get(reverse("admin:workers_execution_log", args=[running.pk])).content.decode()

    assert '<meta http-equiv="refresh"' in page
