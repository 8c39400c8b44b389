"""What the database notes of a node by itself, and what it does not."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from scheduling.db import Connection
from tests.factories import make_registration
from workers.domain.states import NodeState
from workers.engine.heartbeat import heartbeat
from workers.engine.nodes import Registration, leave
from workers.models import Node, NodeChange


def beat(conn: Connection, node: Registration, state: NodeState = NodeState.ONLINE) -> None:
    heartbeat(
        conn,
        node_id=node.node_id,
        incarnation=node.incarnation,
        state=state,
        busy=0,
        machine={"load": 0.5, "cpus": 2.0},
    )


def noted(node: Registration) -> list[tuple[str, str]]:
    return list(NodeChange.objects.filter(node=node.node_id).order_by("id").values_list("before", "after"))


def test_a_node_that_comes_drains_and_goes_is_noted_and_an_ordinary_heartbeat_is_not(conn: Connection) -> None:
    node = make_registration(conn)
    for _ in range(3):
        beat(conn, node)
    beat(conn, node, NodeState.DRAINING)
    beat(conn, node, NodeState.DRAINING)
    leave(conn, node_id=node.node_id, incarnation=node.incarnation)
    assert noted(node) == [("", "online"), ("online", "draining"), ("draining", "stopped")]


def test_a_long_silence_is_noted_with_the_last_sign_of_life(conn: Connection) -> None:
    node = make_registration(conn)
    seen = timezone.now() - timedelta(minutes=10)
    Node.objects.filter(pk=node.node_id).update(last_seen_at=seen)
    beat(conn, node)
    last = NodeChange.objects.filter(node=node.node_id).latest("id")
    assert (last.before, last.after, last.last_seen_at) == ("online", "online", seen)


def test_another_worker_of_the_same_name_is_noted(conn: Connection) -> None:
    node = make_registration(conn)
    leave(conn, node_id=node.node_id, incarnation=node.incarnation)
    again = make_registration(conn, name=node.name)
    assert noted(again)[-1] == ("stopped", "online")


def test_what_is_older_than_a_week_goes_with_the_next_change(conn: Connection) -> None:
    node = make_registration(conn)
    NodeChange.objects.filter(node=node.node_id).update(at=timezone.now() - timedelta(days=9))
    leave(conn, node_id=node.node_id, incarnation=node.incarnation)
    assert noted(node) == [("online", "stopped")]


def test_a_heartbeat_tells_how_the_machine_does_and_a_new_worker_begins_without(conn: Connection) -> None:
    node = make_registration(conn)
    beat(conn, node)
    assert Node.objects.get(pk=node.node_id).machine == {"load": 0.5, "cpus": 2.0}
    leave(conn, node_id=node.node_id, incarnation=node.incarnation)
    make_registration(conn, name=node.name)
    assert Node.objects.get(pk=node.node_id).machine == {}
