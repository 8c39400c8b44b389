"""What lists have beside their rows: CSV, a way out of an empty one, filters that people use; and rows alone."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import reverse

from accounts.admin import csv_export
from accounts.admin.csv_export import BATCH, csv_lines, harmless
from accounts.models import Namespace, User
from accounts.roles import Role
from config.benchmarks.statements import statements_sent
from scheduling.models import TaskInstance
from tests.factories import make_task, make_user
from tests.web.admin.history import make_execution, make_instance

pytestmark = pytest.mark.django_db(transaction=True)

INSTANCES = "admin:scheduling_taskinstance_changelist"
EXPORTS = [
    "scheduling_task_export",
    "scheduling_taskinstance_export",
    "workers_execution_export",
    "workers_node_export",
]


def shown(response: Any) -> set[int]:
    return {row.pk for row in response.context["cl"].result_list}


def read(response: Any) -> list[dict[str, str]]:
    """Return the lines of a CSV answer by their headings."""
    assert isinstance(response, StreamingHttpResponse), "not made whole before it is sent"
    text = b"".join(response).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def export(client: Client, name: str = "scheduling_taskinstance_export", **query: str) -> list[dict[str, str]]:
    return read(client.get(reverse(f"admin:{name}"), query))


@pytest.mark.parametrize("name", EXPORTS)
def test_every_list_of_work_can_be_had_as_csv(root: Client, name: str) -> None:
    make_execution(make_instance(make_task()))
    assert len(export(root, name)) == 1


@pytest.mark.parametrize("name", ["scheduling_taskinstance_export", "workers_execution_export"])
def test_the_file_calls_a_namespace_by_the_name_that_commands_and_the_api_know(root: Client, name: str) -> None:
    task = make_task(namespace="finance")
    Namespace.objects.filter(name="finance").update(title="Money matters")
    make_execution(make_instance(task))
    assert [row["namespace"] for row in export(root, name)] == ["finance"]


def test_the_file_holds_all_rows_that_match_beyond_the_page(root: Client) -> None:
    task, other = make_task(name="chosen"), make_task()
    made = [make_instance(task).pk for _ in range(60)]
    make_instance(other)
    old = make_instance(task, age=timedelta(hours=30))
    rows = export(root, task=str(task.pk), p="2")
    assert [int(row["instance"]) for row in rows] == sorted(made, reverse=True)
    assert {row["task"] for row in rows} == {"chosen"}
    assert rows[0]["state"] == "succeeded"
    assert rows[0]["scheduled_for"].endswith("Z")
    assert str(old.pk) in {row["instance"] for row in export(root, task=str(task.pk), range="7d")}


def test_the_file_holds_only_what_the_reader_may_see(login: Callable[[User], Client]) -> None:
    mine, _theirs = make_instance(make_task(namespace="mine")), make_instance(make_task(namespace="theirs"))
    rows = export(login(make_user(mine=Role.VIEWER)))
    assert [row["instance"] for row in rows] == [str(mine.pk)]
    nobody = login(make_user())
    assert nobody.get(reverse("admin:scheduling_taskinstance_export")).status_code == 403


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "＝1+1"])
def test_no_spreadsheet_takes_a_cell_for_a_formula(root: Client, text: str) -> None:
    instance = make_instance(make_task(name=f"{text} x"), state="failed")
    TaskInstance.objects.filter(pk=instance.pk).update(message=text)
    row = export(root)[0]
    assert (row["task"], row["message"]) == (f"'{text} x", f"'{text}")


def test_numbers_stay_numbers_and_nothing_is_an_empty_cell() -> None:
    assert [harmless(each) for each in (-5, -1.5, None, "plain", 0)] == ["-5", "-1.5", "", "plain", "0"]


def test_rows_are_read_as_they_are_sent() -> None:
    taken = 0

    def rows() -> Iterator[int]:
        nonlocal taken
        for number in range(10 * BATCH):
            taken += 1
            yield number

    lines = csv_lines({"n": lambda each: each}, rows(), lambda batch: None)
    next(lines)
    assert taken == BATCH


@pytest.mark.parametrize("query", [{}, {"o": "1"}, {"o": "-1"}])
def test_a_long_file_is_read_in_batches_and_has_each_row_once(
    root: Client, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    tasks = [make_task(name=name) for name in ("delta", "alpha", "charlie", "bravo", "echo", "foxtrot", "golf")]
    made = [make_instance(task).pk for task in tasks]
    monkeypatch.setattr(csv_export, "BATCH", 3)
    with statements_sent() as sent:
        rows = export(root)
    assert [int(row["instance"]) for row in rows] == sorted(made, reverse=True)
    assert not [text for text in sent if "DECLARE" in text], "a cursor is made whole before its first row"
    names = [row["name"] for row in export(root, "scheduling_task_export", **query)]
    assert names == sorted((task.name for task in tasks), reverse=query.get("o") == "-1")


def test_the_long_file_of_one_task_goes_on_below_the_last_tick(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task()
    made = [make_instance(task, age=timedelta(minutes=minutes)).pk for minutes in (5, 3, 4, 1, 2, 6, 8, 7)]
    same = TaskInstance.objects.get(pk=made[0]).scheduled_for
    TaskInstance.objects.filter(pk__in=made[:5]).update(scheduled_for=same)
    for instance in TaskInstance.objects.filter(pk__in=made):
        make_execution(instance)
    monkeypatch.setattr(csv_export, "BATCH", 2)
    with statements_sent() as sent:
        rows = export(root, task=str(task.pk), range="all")
        attempts = export(root, "workers_execution_export", task=str(task.pk), range="all")
    assert [int(row["instance"]) for row in rows] == [*sorted(made[:5], reverse=True), made[5], made[7], made[6]]
    assert sorted(int(row["instance"]) for row in attempts) == sorted(made)
    whole = [
        text for text in sent if text.startswith(('SELECT "rota_instance"."id" ', 'SELECT "rota_execution"."id" AS'))
    ]
    assert not [text for text in whole if "LIMIT" not in text], "all ids of the history are read at once"


@pytest.mark.parametrize("name", ["scheduling_taskinstance", "workers_execution"])
def test_an_address_cannot_sort_the_history_by_a_column_that_is_not_offered(root: Client, name: str) -> None:
    make_execution(make_instance(make_task()))
    for column in range(12):
        page = root.get(reverse(f"admin:{name}_changelist"), {"o": f"-{column}", "range": "all"})
        assert set(page.context["cl"].queryset.query.order_by) == {"-id"}, column
        assert "o=" not in page.context["cl"].get_query_string()


def test_of_the_columns_in_an_address_those_that_are_offered_sort_the_list(root: Client) -> None:
    for name in ("b", "a", "c"):
        make_task(name=name)
    rows = export(root, "scheduling_task_export", o="6.-1." + "9" * 5000)
    assert [row["name"] for row in rows] == ["c", "b", "a"]


async def _streamed(user: User) -> tuple[bool, bytes]:
    client = AsyncClient()
    await client.aforce_login(user)
    answer: Any = await client.get(reverse("admin:scheduling_taskinstance_export"))
    assert isinstance(answer, StreamingHttpResponse)
    return answer.is_async, b"".join([piece async for piece in answer])


def test_under_asgi_the_file_is_streamed_too() -> None:
    make_instance(make_task())
    user = make_user(superuser=True)
    is_async, body = async_to_sync(_streamed)(user)
    assert is_async
    assert body.count(b"\r\n") == 2


def test_a_filter_that_matches_nothing_says_what_to_loosen(root: Client) -> None:
    instance = make_instance(make_task(name="nightly"), age=timedelta(hours=30))
    page = root.get(reverse(INSTANCES), {"q": "nightly", "state": "succeeded"})
    text = page.content.decode()
    assert "Try it without:" in text
    ways = {way["words"]: way["url"] for way in page.context["cl"].loosening}
    assert set(ways) == {"search for “nightly”", "last 24 hours", "state: succeeded"}
    assert shown(root.get(reverse(INSTANCES) + ways["last 24 hours"])) == {instance.pk}
    tasks = root.get(reverse("admin:scheduling_task_changelist"), {"trigger__exact": "once"})
    assert [way["words"] for way in tasks.context["cl"].loosening] == ["trigger: Once"]


def test_a_list_that_is_not_narrowed_offers_nothing_to_loosen(root: Client) -> None:
    page = root.get(reverse("admin:scheduling_task_changelist"))
    assert page.context["cl"].loosening == []
    assert "Try it without:" not in page.content.decode()


def test_what_failed_since_yesterday_is_one_click_away_however_old_its_tick(root: Client) -> None:
    task = make_task()
    make_instance(task)
    late = make_instance(task, state="failed", age=timedelta(hours=45))
    recent = make_instance(task, state="failed")
    old = make_instance(task, state="failed", age=timedelta(hours=46))
    TaskInstance.objects.filter(pk=late.pk).update(failed_at=recent.failed_at)
    TaskInstance.objects.filter(pk=old.pk).update(failed_at=old.scheduled_for - timedelta(days=1))
    page = root.get(reverse(INSTANCES))
    assert "?failed=yesterday" in page.content.decode()
    chosen = root.get(reverse(INSTANCES), {"failed": "yesterday"})
    assert shown(chosen) == {late.pk, recent.pk}


def test_history_is_filtered_by_the_queue_of_its_task(root: Client) -> None:
    gpu, other = make_instance(make_task(queue="gpu")), make_instance(make_task())
    executions = {each: make_execution(each).pk for each in (gpu, other)}
    assert shown(root.get(reverse(INSTANCES), {"queue": "gpu"})) == {gpu.pk}
    page = root.get(reverse("admin:workers_execution_changelist"), {"queue": "gpu"})
    assert shown(page) == {executions[gpu]}


def test_instances_are_filtered_by_the_node_that_tried_them(root: Client) -> None:
    here, elsewhere = make_instance(make_task()), make_instance(make_task())
    first, second = make_execution(here), make_execution(elsewhere)
    make_execution(here, attempt=2, node=first.node)
    assert shown(root.get(reverse(INSTANCES), {"node": str(first.node_id)})) == {here.pk}
    old = make_instance(make_task(), age=timedelta(hours=45))
    make_execution(old, node=first.node)
    assert shown(root.get(reverse(INSTANCES), {"node": str(first.node_id), "range": "7d"})) == {here.pk, old.pk}
    failed = make_instance(make_task(), state="failed")
    make_execution(failed, node=first.node)
    make_execution(failed, node=first.node, attempt=2, state="timed_out")
    for more in ({"state": "failed"}, {"failed": "yesterday"}):
        assert shown(root.get(reverse(INSTANCES), {"node": str(first.node_id), **more})) == {failed.pk}
        assert shown(root.get(reverse(INSTANCES), {"node": str(second.node_id), **more})) == set()
    both = root.get(reverse(INSTANCES), {"node": str(second.node_id), "q": str(here.pk)})
    ways = {way["words"]: way["url"] for way in both.context["cl"].loosening}
    assert shown(root.get(reverse(INSTANCES) + ways[f"node: {second.node.name}"])) == {here.pk}


def test_a_task_is_found_by_its_number_too(root: Client) -> None:
    one, two = make_task(), make_task()
    address = reverse("admin:scheduling_task_changelist")
    assert shown(root.get(address, {"q": f"#{one.pk}"})) == {one.pk}
    assert shown(root.get(address, {"q": two.name})) == {two.pk}
    assert shown(root.get(address, {"q": "9" * 40})) == set()


def test_an_open_list_asks_for_its_rows_alone(root: Client) -> None:
    instance = make_instance(make_task())
    whole = root.get(reverse(INSTANCES)).content.decode()
    assert "data-live-list" in whole
    rows = root.get(reverse(INSTANCES), headers={"Rota-Fragment": "1"}).content.decode()
    assert f"#{instance.pk}" in rows
    assert "<html" not in rows
    assert "data-live-list" not in root.get(reverse("admin:scheduling_calendar_changelist")).content.decode()


@pytest.mark.parametrize(
    ("name", "query", "title"),
    [
        ("scheduling_task", {"state": "nonsense"}, "state"),
        ("scheduling_task", {"queue": "nonsense"}, "queue"),
        ("scheduling_task", {"trigger__exact": "nonsense"}, "trigger"),
        ("scheduling_task", {"namespace": "99"}, "namespace"),
        ("scheduling_taskinstance", {"range": "nonsense"}, "time"),
        ("scheduling_taskinstance", {"state": "nonsense"}, "state"),
        ("scheduling_taskinstance", {"task": "nonsense"}, "task"),
        ("scheduling_taskinstance", {"failed": "nonsense"}, "failures"),
        ("workers_execution", {"instance": "nonsense"}, "instance"),
        ("workers_execution", {"node": "nonsense"}, "node"),
        ("workers_node", {"health": "nonsense"}, "health"),
        ("scheduling_backfill", {"state__exact": "nonsense"}, "state"),
    ],
)
def test_a_filter_value_that_there_is_not_is_said_and_all_else_stays_as_it_was(
    root: Client, name: str, query: dict[str, str], title: str
) -> None:
    make_execution(make_instance(make_task()))
    answer = root.get(reverse(f"admin:{name}_changelist"), {"q": "a", **query})
    (said,) = answer.context["cl"].not_understood
    value = next(iter(query.values()))
    assert said["words"].startswith(f"The filter “{title}” has no choice “{value}”")
    assert said["url"] == "?q=a"
    assert said["words"] in html.unescape(answer.content.decode())


def test_a_filter_value_that_there_is_leaves_nothing_to_say(root: Client) -> None:
    task = make_task(queue="reports")
    instance = make_instance(task)
    for query in ({"task": str(task.pk)}, {"state": "failed"}, {"range": "all"}, {"queue": "reports"}, {"state": ""}):
        assert root.get(reverse(INSTANCES), query).context["cl"].not_understood == [], query
    without = root.get(reverse(INSTANCES), {"state": "nonsense"})
    assert shown(without) == {instance.pk}
    (states,) = [group["choices"] for group in without.context["cl"].pills if group["title"] == "state"]
    assert [str(each["display"]) for each in states if each["selected"]] == ["All"]


def test_a_file_is_not_made_of_more_than_was_asked_for(root: Client) -> None:
    make_execution(make_instance(make_task()))
    answer = root.get(reverse("admin:scheduling_taskinstance_export"), {"state": "nonsense", "range": "7d"})
    assert answer.status_code == 302
    page = root.get(answer.headers["Location"].replace("..", reverse(INSTANCES).rstrip("/"), 1))
    assert [each["url"] for each in page.context["cl"].not_understood] == ["?range=7d"]
