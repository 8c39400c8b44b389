"""How many statements each page and list costs: a baseline, so that a page which grows expensive is noticed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client as DjangoClient

from accounts.models import Membership
from accounts.roles import Role
from config.benchmarks.addresses import addresses
from config.benchmarks.installation import Installation, furnish
from config.benchmarks.pages import MOST_QUERIES, begin
from config.benchmarks.statements import statements_sent
from scheduling.db import Connection, callers_connection
from scheduling.engine.partitions import create_ahead, forget_known_partitions
from scheduling.models import QueueEntry, Task, TaskInstance
from tests.factories import PASSWORD, make_namespace, make_task, make_user
from tests.web.admin.history import make_instance
from tests.web.api.client import Client, client_of
from tests.web.api.work import ended, free_task, running
from workers.models import Execution, Node

#: The most statements that a page of people may cost, log-in and permissions included.
ADMIN_PAGES = {
    "": 14,
    "dashboard/": 14,
    "dashboard/?part=now": 10,
    "fleet-calendar/": 10,
    "scheduling/task/": 12,
    "scheduling/taskinstance/": 12,
    "scheduling/calendar/": 10,
    "scheduling/backfill/": 10,
    "workers/execution/": 12,
    "workers/node/": 10,
    "workers/connection/": 10,
    "accounts/namespace/": 10,
    "accounts/user/": 10,
}
API_LISTS = ["tasks/", "instances/", "executions/", "nodes/", "calendars/", "backfills/", "handlers/"]
MOST_OF_A_LIST = 8


@pytest.fixture
def work(db: None) -> None:
    """Something on every page."""
    forget_known_partitions()
    create_ahead(callers_connection(), now=datetime.now(UTC), days=1)
    for _ in range(2):
        more_work()


def more_work() -> None:
    """More of everything."""
    task = free_task()
    ended(task)
    running(task)
    make_task(trigger="interval", every_seconds=60)


def statements(call: Any) -> int:
    """How many statements ``call`` costs once whatever is remembered is remembered."""
    call()
    with statements_sent() as sent:
        call()
    return len(sent)


@pytest.fixture
def admin(work: None) -> DjangoClient:
    """The admin as a superuser sees it."""
    make_user("root", superuser=True)
    client = DjangoClient()
    assert client.login(username="root", password=PASSWORD)
    return client


@pytest.mark.parametrize("page", ADMIN_PAGES)
def test_an_admin_list_costs_the_same_few_statements_however_long_it_is(admin: DjangoClient, page: str) -> None:
    def look() -> None:
        assert admin.get(f"/admin/{page}").status_code == 200

    before = statements(look)
    for _ in range(3):
        more_work()
    assert statements(look) == before <= ADMIN_PAGES[page]


@pytest.mark.parametrize(("model", "most"), [(Task, 12), (TaskInstance, 10), (Execution, 10), (Node, 12)])
def test_a_page_about_one_thing_costs_few_statements(admin: DjangoClient, model: Any, most: int) -> None:
    pk = model.objects.order_by("pk").values_list("pk", flat=True)[0]
    address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{pk}/change/"

    def look() -> None:
        assert admin.get(address).status_code == 200

    assert statements(look) <= most


@pytest.mark.parametrize("path", API_LISTS)
def test_an_api_list_costs_the_same_few_statements_however_long_it_is(work: None, path: str) -> None:
    api: Client = client_of(make_user(superuser=True))

    def look() -> None:
        api.get(path).ok()

    before = statements(look)
    for _ in range(3):
        more_work()
    assert statements(look) == before <= MOST_OF_A_LIST


@pytest.fixture
def installation(conn: Connection) -> Installation:
    """Some of everything that pages show: as `manage.py benchmark pages` has it, and small."""
    return furnish(conn, tasks=20, history=300, partitions=3, tell=lambda share: None)


#: What is for superusers alone, and what says that no scheduler runs.
ANSWERS = {"admin_users": 403, "admin_users_active": 403, "readyz": 503}


def test_no_page_and_no_list_costs_as_many_as_fifteen_statements(installation: Installation) -> None:
    client, costs = DjangoClient(), {}
    # Not a superuser: of anybody else the roles have to be read as well.
    client.force_login(make_user("ada", default=Role.ADMINISTRATOR))
    for name, address in addresses(installation).items():
        with statements_sent() as sent:
            answer = client.get(address)
            begin(answer)
        assert answer.status_code == ANSWERS.get(name, 200), address
        costs[name] = len(sent)
    assert len(costs) > 250
    assert {each: cost for each, cost in costs.items() if cost >= MOST_QUERIES} == {}


def instances_of_every_kind() -> None:
    """One page with all that costs a question of its own: what waits for what, and tasks that are no more."""
    for number in range(3):
        more_work()
        gone = make_task(namespace=make_namespace(f"gone-{number}"))
        make_instance(gone)
        gone.delete()
    # Afterwards, or it would be claimed.
    for number in range(3):
        make_instance(make_task(overlap="allow"), state="ready")
        queued = make_instance(make_task(overlap="queue_all"), state="waiting")
        QueueEntry.objects.filter(pk=queued.pk).update(backfill_id=number + 1)


@pytest.mark.parametrize("query", ["", "range=all", "state=waiting", "queue=default&range=30d", "q=task&range=all"])
def test_a_list_with_every_kind_of_instance_costs_fewer_than_fifteen(work: None, query: str) -> None:
    instances_of_every_kind()
    user = make_user("ada", default=Role.ADMINISTRATOR)
    for number in range(3):
        Membership.objects.create(user=user, namespace=make_namespace(f"gone-{number}"), role=Role.ADMINISTRATOR.value)
    client = DjangoClient()
    client.force_login(user)

    def look() -> str:
        answer = client.get(f"/admin/scheduling/taskinstance/?{query}")
        assert answer.status_code == 200
        return answer.content.decode()

    look()
    with statements_sent() as texts:
        page = look()
    # What is ready waits for a worker, if there is none.
    assert query == "state=waiting" or [text for text in texts if '"rota_node"."queues"' in text]
    assert '<span class="rota-subtle">backfill<' in page
    assert len(texts) < MOST_QUERIES, "\n".join(texts)


def test_what_goes_around_django_is_counted_as_well(db: None) -> None:
    with statements_sent() as sent:
        list(Task.objects.all())
        callers_connection().execute("SELECT 1")
        with callers_connection().cursor() as cursor:
            cursor.execute(b"SELECT 2")
    assert [text for text in sent if text.startswith("SELECT 1") or text == "SELECT 2"] == ["SELECT 1", "SELECT 2"]
    assert len(sent) == 3
