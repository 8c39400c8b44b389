"""Nodes that nobody hears of any more: kept as long as the history is, and no longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from scheduling.conf import conf
from scheduling.db import Connection
from scheduling.engine.partitions import create_partitions
from scheduling.services import run_task_now
from tests.engine.work import claimed_by, report_of
from tests.factories import make_registration, make_task
from workers.domain.states import ExecutionState
from workers.engine.complete import complete
from workers.engine.forget_nodes import forget_nodes
from workers.engine.hold import hold
from workers.engine.nodes import Registration
from workers.models import Execution, Node, NodeChange
from workers.runtime import maintainers
from workers.runtime.maintainers import worker_maintainers

KEPT = timedelta(days=90)


def silent(conn: Connection, *, days: float, **over: object) -> Registration:
    """A node whose last sign of life was so many days ago."""
    node = make_registration(conn, **over)
    Node.objects.filter(pk=node.node_id).update(last_seen_at=timezone.now() - timedelta(days=days))
    return node


def names() -> set[str]:
    return set(Node.objects.values_list("name", flat=True))


def forget(conn: Connection) -> int:
    return forget_nodes(conn, before=timezone.now() - KEPT)


def test_a_node_goes_with_its_notes_when_it_was_silent_for_as_long_as_the_history_is_kept(conn: Connection) -> None:
    silent(conn, name="old", days=91)
    silent(conn, name="young", days=89)
    make_registration(conn, name="alive")
    assert forget(conn) == 1
    assert names() == {"young", "alive"}
    assert NodeChange.objects.values("node").distinct().count() == 2


def test_a_node_that_somebody_holds_stays_until_it_is_resumed(conn: Connection) -> None:
    silent(conn, name="held", days=91)
    hold(conn, name="held", by="ada", reason="broken disk")
    assert forget(conn) == 0
    assert names() == {"held"}


def test_a_node_that_the_history_still_names_stays(conn: Connection) -> None:
    long_ago = timezone.now() - timedelta(days=120)
    create_partitions(conn, [long_ago.date()])
    run_task_now(make_task(), at=long_ago)
    node = make_registration(conn, name="ran it")
    (claim,) = claimed_by(conn, node)
    complete(conn, [report_of(claim, ExecutionState.SUCCEEDED)])
    Node.objects.filter(pk=node.node_id).update(last_seen_at=timezone.now() - timedelta(days=100))
    assert forget(conn) == 0
    Execution.objects.all().delete()
    assert forget(conn) == 1


@pytest.mark.parametrize(("days", "left"), [(90, {"alive"}), (0, {"alive", "old"})])
def test_schedulers_forget_nodes_by_the_age_of_the_history(
    conn: Connection, days: int, left: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent(conn, name="old", days=91)
    make_registration(conn, name="alive")
    monkeypatch.setattr(maintainers, "scheduling_conf", lambda: replace(conf(), RETENTION_DAYS=days))
    (chore,) = [each for each in worker_maintainers() if each.name == "nodes forgotten"]
    chore.run(conn)
    assert names() == left
