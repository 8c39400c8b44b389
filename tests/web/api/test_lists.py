"""Lists: filters, and pages by cursor."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from scheduling.db import callers_connection
from scheduling.services import pause_task, run_task_now
from tests.factories import make_namespace, make_registration, make_task, make_user
from tests.web.api.client import Client, client_of
from tests.web.api.work import end, ended, free_task, running
from workers.domain.states import ExecutionState
from workers.models import Node


def _names(rows: list[Any]) -> set[str]:
    return {row["name"] for row in rows}


def test_tasks_are_narrowed_by_each_filter(history: None) -> None:
    root = client_of(make_user(superuser=True))
    make_task(name="one", description="sums up", queue="reports")
    make_task(name="two", handler="http", params={"url": "http://x.example"}, enabled=False)
    make_task(name="three", namespace=make_namespace("team-b"), trigger="interval", every_seconds=60)
    expected = {
        "": {"one", "two", "three"},
        "namespace=default": {"one", "two"},
        "name=one": {"one"},
        "search=SUMS": {"one"},
        "handler=http": {"two"},
        "queue=reports": {"one"},
        "enabled=false": {"two"},
        "enabled=true": {"one", "three"},
        "trigger=interval": {"three"},
        "state=paused": {"two"},
        "namespace=default&enabled=true": {"one"},
    }
    assert {query: _names(root.results(f"tasks/?{query}")) for query in expected} == expected


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("tasks/?state=nonsense", "state", "“nonsense” is none of these: enabled, paused, finished, error."),
        ("tasks/?trigger=nonsense", "trigger", "“nonsense” is none of these: cron,"),
        ("tasks/?enabled=maybe", "enabled", "“maybe” is none of these: true, false."),
        ("instances/?state=nonsense", "state", "“nonsense” is none of these: waiting,"),
        ("instances/?origin=nonsense", "origin", "“nonsense” is none of these: schedule,"),
        ("executions/?state=nonsense", "state", "“nonsense” is none of these: running,"),
        ("backfills/?state=nonsense", "state", "“nonsense” is none of these: "),
        ("statistics/outcomes/?range=5d", "range", "“5d” is none of these: 24h, 7d, 30d."),
        ("statistics/tasks/?order=nonsense", "order", "“nonsense” is none of these: failing, slowest, busiest."),
    ],
)
def test_a_filter_value_that_there_is_not_is_refused_with_those_that_there_are(
    history: None, query: str, field: str, words: str
) -> None:
    problems = client_of(make_user(superuser=True)).get(query).problems()
    assert list(problems) == [field]
    assert words in problems[field][0]


@pytest.mark.parametrize(
    "place",
    ["tasks/", "instances/", "executions/", "pools/", "calendars/", "backfills/"]
    + [f"statistics/{name}/" for name in ("health", "outcomes", "tasks", "upcoming", "failures")],
)
def test_a_namespace_that_one_may_not_see_is_answered_as_one_that_does_not_exist(history: None, place: str) -> None:
    make_namespace("secret")
    ada = client_of(make_user("ada", default=Role.VIEWER))
    answers = [ada.get(f"{place}?namespace={name}") for name in ("secret", "absent")]
    assert [answer.status for answer in answers] == [400, 400]
    hidden, absent = (answer.problems()["namespace"] for answer in answers)
    assert hidden == ["“secret” is none of these: default."]
    assert absent == ["“absent” is none of these: default."]
    assert ada.get(f"{place}?namespace=default").status == 200
    assert client_of(make_user(superuser=True)).get(f"{place}?namespace=secret").status == 200


def test_of_many_namespaces_the_first_are_named(history: None) -> None:
    for number in range(25):
        make_namespace(f"a-{number:02}")
    (problem,) = client_of(make_user(superuser=True)).get("tasks/?namespace=team").problems()["namespace"]
    assert problem.endswith("a-19, ….")


def test_instances_are_narrowed_by_each_filter(history: None) -> None:
    root = client_of(make_user(superuser=True))
    task = free_task(name="a", queue="default")
    ok, failed = ended(task).pk, ended(task, ExecutionState.FAILED).pk
    live = running(task).instance_id
    elsewhere = run_task_now(free_task(name="b", namespace=make_namespace("team-b"), queue="reports", handler="http"))
    late = running(free_task(name="c"))
    end(late)
    moment = quote(root.get(f"instances/{late.instance_id}/").ok()["scheduled_for"])
    expected = {
        "state=succeeded": {ok, late.instance_id},
        "state=failed": {failed},
        "state=running": {live},
        "state=ready": {elsewhere.pk},
        "state=waiting": set(),
        "namespace=team-b": {elsewhere.pk},
        f"task={task.pk}": {ok, failed, live},
        "task_name=a": {ok, failed, live},
        "handler=http": {elsewhere.pk},
        "queue=reports": {elsewhere.pk},
        "origin=manual": {ok, failed, live, elsewhere.pk, late.instance_id},
        "origin=schedule": set(),
        f"scheduled_from={moment}": {late.instance_id},
        f"scheduled_to={moment}": {ok, failed, live, elsewhere.pk},
        f"state=failed&task={task.pk}": {failed},
    }
    found = {query: {row["id"] for row in root.results(f"instances/?{query}")} for query in expected}
    assert found == expected


def test_an_offset_whose_plus_sign_was_not_encoded_is_understood(api: Client) -> None:
    instance = ended()
    day = f"{instance.scheduled_for:%Y-%m-%d}"
    assert len(api.results(f"instances/?scheduled_from={day}T00:00:00+00:00")) == 1


def test_the_filters_of_a_handler_follow_the_version_that_was_fired(api: Client) -> None:
    task = free_task()
    instance = ended(task)
    other = {"handler": "http", "params": {"url": "http://x.example"}, "queue": "web"}
    api.request("PATCH", f"tasks/{task.pk}/", other).ok()
    assert [row["id"] for row in api.results("instances/?handler=shell&queue=default")] == [instance.pk]
    assert api.results("instances/?handler=http") == []


def test_executions_are_narrowed_by_each_filter(api: Client) -> None:
    conn = callers_connection()
    node, other = make_registration(conn, name="n1"), make_registration(conn, name="n2")
    task = free_task(name="a")
    first = running(task, node=node)
    end(first, ExecutionState.FAILED)
    second = running(task, node=other)
    third = running(free_task(name="b"), node=other)
    end(third)
    expected = {
        "": [third.lease_id, second.lease_id, first.lease_id],
        "node=n2": [third.lease_id, second.lease_id],
        "state=running": [second.lease_id],
        "state=failed": [first.lease_id],
        f"task={task.pk}": [second.lease_id, first.lease_id],
        "task_name=b": [third.lease_id],
        f"instance={first.instance_id}": [first.lease_id],
        "handler=shell": [third.lease_id, second.lease_id, first.lease_id],
        "namespace=default&node=n1": [first.lease_id],
    }
    found = {query: [row["id"] for row in api.results(f"executions/?{query}")] for query in expected}
    assert found == expected


def test_nodes_are_listed_by_name_with_their_health(api: Client) -> None:
    conn = callers_connection()
    for name in ("c", "a", "b"):
        make_registration(conn, name=name, queues=["default", f"node:{name}"], handlers=["shell"])
    Node.objects.filter(name="b").update(state="stopped")
    conn.execute("UPDATE rota_node SET last_seen_at = now() - interval '1 hour' WHERE name = 'c'")
    health = [(row["name"], row["health"]) for row in api.results("nodes/")]
    assert health == [("a", "online"), ("b", "stopped"), ("c", "lost")]
    assert _names(api.results("nodes/?queue=node:a")) == {"a"}
    assert _names(api.results("nodes/?handler=http")) == set()
    assert [row["name"] for page in api.walk("nodes/?page_size=1") for row in page] == ["a", "b", "c"]


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 8])
def test_following_next_shows_every_row_once_and_previous_leads_back(api: Client, page_size: int) -> None:
    task = free_task()
    made = [run_task_now(task).pk for _ in range(7)]
    pages = api.walk(f"instances/?page_size={page_size}")
    assert [row["id"] for page in pages for row in page] == sorted(made, reverse=True)
    assert all(len(page) == page_size for page in pages[:-1])

    address = f"instances/?page_size={page_size}"
    while (body := api.get(address).ok())["next"] is not None:
        address = body["next"]
    back = [row["id"] for page in reversed(api.walk(address, link="previous")) for row in page]
    assert back == sorted(made, reverse=True)


def test_rows_that_arrive_during_a_walk_are_neither_doubled_nor_in_the_way(api: Client) -> None:
    task = free_task()
    made = [run_task_now(task).pk for _ in range(4)]
    first = api.get("instances/?page_size=2").ok()
    run_task_now(task)
    second = api.get(first["next"]).ok()
    seen = [row["id"] for row in first["results"] + second["results"]]
    assert seen == sorted(made, reverse=True)


def test_tasks_are_listed_in_order_of_creation_whatever_they_are_renamed_to(api: Client) -> None:
    tasks = [make_task(name=name) for name in ("m", "z", "a")]
    first = api.get("tasks/?page_size=1").ok()
    api.request("PATCH", f"tasks/{tasks[0].pk}/", {"name": "zz"}).ok()
    rest = [row["id"] for page in api.walk(first["next"]) for row in page]
    assert [first["results"][0]["id"], *rest] == [task.pk for task in tasks]


def test_a_cursor_keeps_the_filters(api: Client) -> None:
    task, other = free_task(), free_task()
    wanted = [run_task_now(each).pk for each in (task, other, task, other, task) if each is task]
    pages = api.walk(f"instances/?task={task.pk}&page_size=1")
    assert [row["id"] for page in pages for row in page] == sorted(wanted, reverse=True)


def test_a_page_is_never_larger_than_the_limit(api: Client) -> None:
    assert api.get("tasks/?page_size=100000").status == 200


@pytest.mark.parametrize("path", ["tasks/", "instances/", "executions/"])
def test_a_list_costs_the_same_number_of_statements_however_long_it_is(api: Client, path: str) -> None:
    ended()
    with CaptureQueriesContext(connection) as few:
        api.get(path).ok()
    for _ in range(3):
        ended()
        running()
    with CaptureQueriesContext(connection) as many:
        assert len(api.results(path)) > 3
    assert len(many) == len(few)


def test_a_paused_task_stays_in_the_list(api: Client) -> None:
    task = make_task()
    pause_task(task)
    assert [row["state"] for row in api.results("tasks/")] == ["paused"]


def test_roles_do_not_change_what_is_listed(history: None) -> None:
    task = make_task()
    for role in Role:
        rows = client_of(make_user(default=role)).results("tasks/")
        assert [row["id"] for row in rows] == [task.pk]


def test_a_cursor_with_a_number_that_no_id_has_is_none(api: Client) -> None:
    for number in ("9" * 5000, "9" * 20):
        cursor = b64encode(f"p={number}".encode()).decode()
        assert "cursor" in api.get(f"tasks/?cursor={quote(cursor)}").problems()
