"""Instances and executions: read-only, bounded, never counted; cancel and "run again"."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from scheduling.domain.states import InstanceState
from scheduling.models import TaskInstance
from tests.factories import make_task
from tests.web.admin.history import make_execution, make_instance

pytestmark = pytest.mark.django_db(transaction=True)

INSTANCES = "admin:scheduling_taskinstance_changelist"

LISTS = ["admin:scheduling_task_changelist", INSTANCES, "admin:workers_execution_changelist"]

#: Session, user, side bar and filters included; what matters is that rows do not add to it.
MOST_QUERIES = 16


def shown(response: Any) -> set[int]:
    """Return the ids of the rows of a list."""
    return {row.pk for row in response.context["cl"].result_list}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_counts_nothing_in_its_table_and_asks_no_more_for_more_rows(root: Client, name: str) -> None:
    def queries() -> list[str]:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert root.get(reverse(name)).status_code == 200
        return [query["sql"] for query in captured.captured_queries]

    for _ in range(2):
        make_execution(make_instance(make_task()))
    few = queries()
    for _ in range(20):
        make_execution(make_instance(make_task()))
    many = queries()

    assert len(many) == len(few) <= MOST_QUERIES
    table = {INSTANCES: "rota_instance", LISTS[0]: "rota_task", LISTS[2]: "rota_execution"}[name]
    assert not [sql for sql in many if "COUNT(" in sql.upper() and table in sql]


@pytest.mark.parametrize("name", LISTS)
def test_nobody_can_ask_for_numbers_beside_the_filters(root: Client, name: str) -> None:
    make_execution(make_instance(make_task()))

    with CaptureQueriesContext(connection) as captured:
        page = root.get(reverse(name), {"_facets": "True"}).content.decode()

    assert "Hide counts" not in page
    assert "Show counts" not in page
    assert not [query for query in captured.captured_queries if "FILTER (WHERE" in query["sql"]]


@pytest.mark.parametrize("name", LISTS[1:])
def test_a_list_of_history_asks_for_a_day_unless_told_otherwise(root: Client, name: str) -> None:
    task = make_task()
    old, new = make_instance(task, age=timedelta(hours=30)), make_instance(task)
    rows = {"old": old.pk, "new": new.pk}
    if name != INSTANCES:
        rows = {key: make_execution(each).pk for key, each in (("old", old), ("new", new))}

    assert shown(root.get(reverse(name))) == {rows["new"]}
    assert shown(root.get(reverse(name), {"range": "7d"})) == set(rows.values())
    assert shown(root.get(reverse(name), {"range": "1h"})) == {rows["new"]}
    assert shown(root.get(reverse(name), {"range": "nonsense"})) == {rows["new"]}


def test_a_page_shows_its_rows_and_leads_to_the_next(root: Client) -> None:
    task = make_task()
    made = [make_instance(task).pk for _ in range(51)]

    first = root.get(reverse(INSTANCES))
    second = root.get(reverse(INSTANCES), {"p": "2"})

    assert shown(first) == set(made[1:])
    assert 'rel="next" href="?p=2"' in first.content.decode()
    assert shown(second) == {made[0]}
    assert 'rel="prev"' in second.content.decode()
    assert 'rel="next"' not in second.content.decode()


@pytest.mark.parametrize("page", ["0", "-3", "x", "999999"])
def test_a_page_that_does_not_exist_is_no_error(root: Client, page: str) -> None:
    make_instance(make_task())

    assert root.get(reverse(INSTANCES), {"p": page}).status_code == 200


@pytest.mark.parametrize("state", [state.value for state in InstanceState if state is not InstanceState.RUNNING])
def test_the_state_filter_shows_the_instances_in_that_state(root: Client, state: str) -> None:
    task = make_task(overlap="allow")
    made = {
        each.value: make_instance(task, state=each.value).pk
        for each in InstanceState
        if each is not InstanceState.RUNNING
    }

    assert shown(root.get(reverse(INSTANCES), {"state": state})) == {made[state]}


def test_the_search_finds_a_number_at_any_age_and_tasks_by_name(root: Client) -> None:
    old = make_instance(make_task(name="nightly backup"), age=timedelta(hours=40))
    new = make_instance(make_task(name="hourly backup"))
    make_instance(make_task(name="import"))

    with CaptureQueriesContext(connection) as captured:
        by_name = shown(root.get(reverse(INSTANCES), {"q": "BACKUP", "range": "7d"}))

    assert by_name == {old.pk, new.pk}
    history = [query["sql"] for query in captured.captured_queries if 'FROM "rota_instance"' in query["sql"]]
    assert history
    assert not [sql for sql in history if "LIKE" in sql]
    assert shown(root.get(reverse(INSTANCES), {"q": str(old.pk)})) == {old.pk}
    assert shown(root.get(reverse(INSTANCES), {"q": f"#{old.pk}"})) == {old.pk}
    assert shown(root.get(reverse(INSTANCES), {"q": "9" * 30})) == set()


def test_a_task_leads_to_its_instances_these_to_executions_and_those_to_logs(root: Client) -> None:
    task = make_task()
    instance = make_instance(task)
    make_instance(make_task())
    execution = make_execution(instance)

    task_page = root.get(reverse("admin:scheduling_task_change", args=[task.pk])).content.decode()
    instances = f"{reverse(INSTANCES)}?task={task.pk}"
    instance_page = root.get(reverse("admin:scheduling_taskinstance_change", args=[instance.pk])).content.decode()
    execution_url = reverse("admin:workers_execution_change", args=[execution.pk])
    log_url = reverse("admin:workers_execution_log", args=[execution.pk])

    assert instances in task_page
    assert shown(root.get(instances)) == {instance.pk}
    assert execution_url in instance_page
    assert log_url in instance_page
    assert log_url in root.get(execution_url).content.decode()


@pytest.mark.parametrize(
    ("over", "said"), [({"reason": "nonzero_exit"}, True), ({"state": "running", "finished_at": None}, False)]
)
def test_what_became_of_an_execution_has_a_heading_once_there_is_something_below_it(
    root: Client, over: dict[str, Any], said: bool
) -> None:
    execution = make_execution(make_instance(make_task(), state="failed"), **over)
    page = root.get(reverse("admin:workers_execution_change", args=[execution.pk])).content.decode()
    assert ("What became of it" in page) is said


@pytest.mark.parametrize("model", ["scheduling_taskinstance", "workers_execution", "workers_node"])
def test_what_happened_cannot_be_added_changed_or_deleted(root: Client, model: str) -> None:
    execution = make_execution(make_instance(make_task()))
    pk = {"scheduling_taskinstance": execution.instance_id, "workers_execution": execution.pk}.get(
        model, execution.node_id
    )

    answers = [
        root.get(reverse(f"admin:{model}_add")),
        root.post(reverse(f"admin:{model}_change", args=[pk]), {}),
        root.post(reverse(f"admin:{model}_delete", args=[pk]), {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert root.get(reverse(f"admin:{model}_change", args=[pk])).status_code == 200


def test_cancel_counts_what_was_cancelled_and_what_had_ended(root: Client) -> None:
    task = make_task()
    waiting, ended = make_instance(task, state="ready"), make_instance(task)

    chosen = {"action": "cancel_chosen", "_selected_action": [waiting.pk, ended.pk]}
    response = root.post(reverse(INSTANCES), {**chosen, "confirmed": "yes"})

    told = " ".join(map(str, get_messages(response.wsgi_request)))
    assert "1 was cancelled." in told
    assert f"#{ended.pk}: has ended already" in told
    assert TaskInstance.objects.get(pk=waiting.pk).state is InstanceState.CANCELLED
    assert TaskInstance.objects.get(pk=ended.pk).state is InstanceState.SUCCEEDED


def test_run_again_makes_a_new_instance_that_points_to_the_old_one(root: Client) -> None:
    old = make_instance(make_task(), state="failed")

    response = root.post(reverse("admin:scheduling_taskinstance_rerun", args=[old.pk]))

    new = TaskInstance.objects.get(rerun_of=old.pk)
    assert response["Location"] == reverse("admin:scheduling_taskinstance_change", args=[new.pk])
    assert new.origin == "rerun"


def test_run_again_leaves_out_what_has_not_ended(root: Client) -> None:
    task = make_task(overlap="allow")
    live, ended = make_instance(task, state="ready"), make_instance(task, state="failed")

    response = root.post(reverse(INSTANCES), {"action": "rerun_chosen", "_selected_action": [live.pk, ended.pk]})

    told = " ".join(map(str, get_messages(response.wsgi_request)))
    assert "1 instance runs again:" in told
    assert f"Instance {live.pk} has not ended yet" in told
    assert list(TaskInstance.objects.filter(rerun_of__isnull=False).values_list("rerun_of", flat=True)) == [ended.pk]
