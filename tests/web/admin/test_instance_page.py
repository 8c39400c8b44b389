"""The page of an instance: its attempts on a time line, its result, what it repeats and what repeats it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from scheduling.admin.attempts import BAR_WIDTH, attempts_shown
from scheduling.admin.result_view import MOST_ROWS, folded, shown_result
from scheduling.models import TaskInstance
from scheduling.services import rerun_instance
from tests.factories import make_task, make_user
from tests.web.admin.history import make_execution, make_instance

pytestmark = pytest.mark.django_db(transaction=True)


def page(client: Client, pk: int, name: str = "change") -> str:
    return client.get(reverse(f"admin:scheduling_taskinstance_{name}", args=[pk])).content.decode()


def with_result(result: Any) -> TaskInstance:
    instance = make_instance(make_task())
    make_execution(instance, result=result)
    return instance


def test_attempts_stand_on_one_time_line_with_what_lay_between_them() -> None:
    instance = make_instance(make_task())
    begins = instance.scheduled_for
    TaskInstance.objects.filter(pk=instance.pk).update(finished_at=begins + timedelta(seconds=100))
    instance.refresh_from_db()
    for attempt, start, end in ((1, 10, 30), (2, 70, 100)):
        make_execution(
            instance,
            attempt=attempt,
            state="failed" if attempt == 1 else "succeeded",
            started_at=begins + timedelta(seconds=start),
            finished_at=begins + timedelta(seconds=end),
        )
    shown = attempts_shown(instance)
    second, first = shown["attempts"]
    assert [(each.kind, each.x, each.width) for each in first["segments"]] == [
        ("waiting", 0, 100),
        ("failed", 100, 200),
    ]
    assert [(each.kind, each.x, each.width) for each in second["segments"]] == [
        ("delay", 300, 400),
        ("succeeded", 700, 300),
    ]
    assert BAR_WIDTH == 1000
    assert (first["waited"], second["waited"], second["took"]) == ("10.0 s", "40.0 s", "30.0 s")


def test_nothing_on_the_time_line_is_too_thin_to_be_seen_or_beyond_its_end() -> None:
    instance = make_instance(make_task())
    end = instance.finished_at
    assert end is not None
    make_execution(instance, started_at=end - timedelta(microseconds=1), finished_at=end)
    pieces = attempts_shown(instance)["attempts"][0]["segments"]
    assert all(each.width >= 4 and each.x + each.width <= BAR_WIDTH for each in pieces)


def test_a_response_is_shown_with_its_status_headers_and_body(root: Client) -> None:
    result = {
        "status": 503,
        "headers": {"Retry-After": "<b>9</b>"},
        "body": "<script>no</script>",
        "truncated": False,
        "elapsed_seconds": 0.2,
        "url": "http://example.com/",
    }
    shown = page(root, with_result(result).pk)
    assert "503 Service Unavailable" in shown
    assert "<dt>Retry-After</dt><dd>&lt;b&gt;9&lt;/b&gt;</dd>" in shown
    assert "&lt;script&gt;no&lt;/script&gt;" in shown


def test_rows_are_a_table_the_first_of_them_and_the_rest_is_in_the_download(root: Client) -> None:
    rows = [[number, "=1+1", None] for number in range(MOST_ROWS + 50)]
    instance = with_result({"columns": ["n", "text", "nothing"], "rows": rows, "row_count": 999, "truncated": True})
    shown = page(root, instance.pk)
    assert '<th scope="col">nothing</th>' in shown
    assert "<td>99</td>" in shown
    assert "<td>100</td>" not in shown
    assert "999 rows" in shown
    assert "150 were kept" in shown
    execution = instance.executions.get()
    address = reverse("admin:workers_execution_result", args=[execution.pk])
    assert f"{address}?as=csv" in shown
    lines = root.get(address, {"as": "csv"}).content.decode("utf-8-sig").splitlines()
    assert lines[:2] == ["n,text,nothing", "0,'=1+1,"]
    assert len(lines) == 151
    assert json.loads(root.get(address).content)["rows"] == rows


@pytest.mark.parametrize(
    ("columns", "heading"),
    [(["=1+1", "n"], "'=1+1,n"), (["@a", "@a"], "'@a (1),'@a (2)"), ([-1, "-1"], "'-1 (1),'-1 (2)")],
)
def test_no_spreadsheet_takes_a_heading_for_a_formula(root: Client, columns: list[Any], heading: str) -> None:
    execution = with_result({"columns": columns, "rows": [[1, 2]], "row_count": 1}).executions.get()
    address = reverse("admin:workers_execution_result", args=[execution.pk])
    assert root.get(address, {"as": "csv"}).content.decode("utf-8-sig").splitlines() == [heading, "1,2"]


def test_json_folds_and_shows_nothing_as_html() -> None:
    html = folded({"a": [1, None, "<b>"], "<i>": {"deep": {}}})
    assert html.count("<details") == 3
    assert "&lt;b&gt;" in html
    assert "<i>" not in html
    assert "&lt;i&gt;" in html


def test_a_huge_result_is_cut_on_the_page(root: Client) -> None:
    instance = with_result({"numbers": list(range(100_000)), "text": "x" * 50_000})
    shown = page(root, instance.pk)
    assert "The rest is in the download." in shown
    assert len(shown) < 300_000
    nested: Any = "bottom"
    for _ in range(500):
        nested = [nested]
    assert "bottom" in folded(nested)


@pytest.mark.parametrize("result", [0, "", [], {}, False, {"columns": 1, "rows": []}, {"status": "x"}])
def test_any_result_can_be_shown(result: Any) -> None:
    assert shown_result(result)["kind"] == "json"


def test_what_repeats_an_instance_is_linked_from_it_and_back(root: Client) -> None:
    first = make_instance(make_task(), state="failed")
    again = rerun_instance(first)
    shown = page(root, first.pk)
    assert "followed by" in shown
    assert reverse("admin:scheduling_taskinstance_change", args=[again.pk]) in shown
    back = page(root, again.pk)
    assert reverse("admin:scheduling_taskinstance_change", args=[first.pk]) in back


def test_an_unfinished_instance_follows_what_happens_until_it_ends(root: Client) -> None:
    live, ended = make_instance(make_task(), state="ready"), make_instance(make_task())
    address = reverse("admin:scheduling_taskinstance_live", args=[live.pk])
    assert f'data-live="{address}"' in page(root, live.pk)
    assert "data-live=" not in page(root, ended.pk)
    answer = root.get(address)
    assert answer["Rota-Live"] == "goes on"
    assert "Why is it waiting?" in answer.content.decode()
    assert root.get(reverse("admin:scheduling_taskinstance_live", args=[ended.pk]))["Rota-Live"] == "ended"


def test_who_may_not_see_an_instance_gets_neither_its_live_part_nor_its_result(login: Callable[[User], Client]) -> None:
    instance = with_result({"secret": "value"})
    stranger = login(make_user(other=Role.OPERATOR))
    for address in (
        reverse("admin:scheduling_taskinstance_live", args=[instance.pk]),
        reverse("admin:workers_execution_result", args=[instance.executions.get().pk]),
    ):
        answer = stranger.get(address)
        assert answer.status_code == 302
        assert b"value" not in answer.content
