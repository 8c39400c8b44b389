"""The page of a node, and the list of nodes: what runs there now, and what it was over the last day."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from scheduling.db import Connection, callers_connection
from scheduling.engine.schedulers import register_scheduler
from tests.factories import make_registration, make_user
from tests.web.api.work import free_task, running
from workers.models import Node, NodeChange
from workers.runtime.machine import machine

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:workers_node_changelist"


def page(client: Client, pk: int, name: str = "change") -> str:
    return client.get(reverse(f"admin:workers_node_{name}", args=[pk])).content.decode()


def test_what_runs_on_a_node_is_named_to_those_who_may_see_it_and_counted_for_others(
    root: Client, login: Callable[[User], Client]
) -> None:
    mine, theirs = free_task(namespace="mine"), free_task(namespace="theirs")
    claims = [running(task) for task in (mine, theirs)]
    incarnations = {each.incarnation for each in Node.objects.all()}
    assert incarnations
    whole = "".join(page(root, node.pk) for node in Node.objects.all())
    assert mine.name in whole
    assert theirs.name in whole
    limited = login(make_user(mine=Role.VIEWER))
    seen = "".join(page(limited, node.pk, "live") for node in Node.objects.all())
    assert mine.name in seen
    assert theirs.name not in seen
    assert "1 more that you may not see" in seen
    assert len(claims) == 2


def test_the_last_day_is_a_strip_with_words_in_the_list_and_on_the_page(root: Client) -> None:
    now = timezone.now()
    node = Node.objects.create(name="n", incarnation=1, last_seen_at=now)
    NodeChange.objects.all().delete()
    NodeChange.objects.create(
        node=node,
        at=now - timedelta(hours=2),
        before="online",
        after="online",
        last_seen_at=now - timedelta(hours=3),
    )
    for shown in (root.get(reverse(LIST)).content.decode(), page(root, node.pk)):
        assert 'class="rota-node-lost"' in shown
        assert "online 22 h 59 min, lost 0 h 59 min" in shown or "online 23 h 0 min, lost 59 min" in shown


def test_load_and_memory_are_shown_as_the_heartbeat_told_them(root: Client) -> None:
    told = {"load": 1.26, "cpus": 4.0, "memory_bytes": 8 * 2**30, "memory_free_bytes": 2 * 2**30}
    Node.objects.create(name="told", incarnation=1, machine=told)
    silent = Node.objects.create(name="silent", incarnation=2)
    shown = root.get(reverse(LIST)).content.decode()
    assert "load 1.3, 4 CPUs" in shown
    assert "2.0\xa0GB of 8.0\xa0GB free" in shown
    assert "load" not in page(root, silent.pk, "live")


def test_a_machine_tells_its_load_and_its_memory() -> None:
    told = machine()
    assert told["cpus"] >= 1
    assert told["load"] >= 0
    assert 0 < told["memory_free_bytes"] <= told["memory_bytes"]


def test_nodes_are_filtered_by_health_and_queue(root: Client) -> None:
    now = timezone.now()
    ids = {
        name: Node.objects.create(name=name, incarnation=number, state=state, last_seen_at=seen, queues=queues).pk
        for number, (name, state, seen, queues) in enumerate(
            [
                ("well", "online", now, ["default", "node:well"]),
                ("leaving", "draining", now, ["gpu"]),
                ("gone", "online", now - timedelta(hours=1), ["default"]),
                ("ended", "stopped", now - timedelta(hours=1), ["default"]),
            ]
        )
    }

    def shown(**query: str) -> set[str]:
        found = {row.pk for row in root.get(reverse(LIST), query).context["cl"].result_list}
        return {name for name, pk in ids.items() if pk in found}

    assert shown(health="online") == {"well"}
    assert shown(health="draining") == {"leaving"}
    assert shown(health="lost") == {"gone"}
    assert shown(health="stopped") == {"ended"}
    assert shown(queue="gpu") == {"leaving"}
    assert shown() == set(ids)


def test_an_open_page_of_a_node_follows_it(root: Client) -> None:
    conn: Connection = callers_connection()
    node = make_registration(conn)
    assert f'data-live="{reverse("admin:workers_node_live", args=[node.node_id])}"' in page(root, node.node_id)
    Node.objects.filter(pk=node.node_id).update(held_at=timezone.now(), held_by="ada", state="draining")
    assert "Held since" in page(root, node.node_id, "live")


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)])
def test_who_is_alive_goes_by_the_clock_of_the_database(
    root: Client, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    conn = callers_connection()
    register_scheduler(conn, name="here", host="here", pid=1, version="1")
    node = make_registration(conn, name="alive")
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + ahead)
    for address in ("scheduling/scheduler/", "workers/node/", f"workers/node/{node.node_id}/change/"):
        page = root.get(f"/admin/{address}").content.decode()
        assert re.search(r"rota-badge[^>]*>online<", page)
        assert not re.search(r"rota-badge[^>]*>lost<", page)
    assert "alive" in root.get("/admin/workers/node/?health=online").content.decode().split("result_list")[1]
    rows = root.get("/admin/workers/node/export/").getvalue().decode()
    assert "alive,online" in rows
