"""A scheduler asks once whether workers have left anything to be decided, and decides it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduling.db import Connection, database_now
from scheduling.models import QueueEntry, Task, TaskClock, TaskInstance
from scheduling.runtime.loop import SchedulerLoop
from scheduling.runtime.maintainer import that_are_needed
from tests.engine.work import one_claim, ready
from tests.factories import make_registration
from workers.conf import conf
from workers.models import Node
from workers.runtime.maintainers import worker_maintainers


def turn(conn: Connection) -> None:
    loop = SchedulerLoop(maintainers=worker_maintainers())
    try:
        loop.turn()
    finally:
        loop.close()


def needed(conn: Connection) -> set[str]:
    asked = [chore for chore in worker_maintainers() if chore.name in {"reaped", "rejected"}]
    return {chore.name for chore in that_are_needed(conn, asked)}


def test_nothing_is_needed_while_workers_live_and_tasks_have_their_handlers(conn: Connection) -> None:
    one_claim(conn)
    ready(conn)
    assert needed(conn) == set()


def test_work_of_a_silent_worker_is_decided(conn: Connection) -> None:
    one_claim(conn)
    Node.objects.update(last_seen_at=database_now(conn) - timedelta(seconds=conf().lease_seconds + 1))
    assert needed(conn) == {"reaped"}
    turn(conn)
    assert QueueEntry.objects.get().losses == 1


def test_work_that_is_long_past_its_deadline_is_decided(conn: Connection) -> None:
    one_claim(conn, timeout_seconds=1, kill_grace_seconds=0)
    QueueEntry.objects.update(deadline_at=database_now(conn) - timedelta(seconds=conf().deadline_slack_seconds + 1))
    assert needed(conn) == {"reaped"}
    turn(conn)
    assert TaskInstance.objects.get().reason == "timed_out"


def test_work_that_nobody_has_a_handler_for_fails(conn: Connection) -> None:
    ready(conn)
    Task.objects.update(handler="gone")
    QueueEntry.objects.update(handler="gone")
    assert needed(conn) == {"rejected"}
    turn(conn)
    ended = TaskInstance.objects.get()
    assert (ended.outcome, ended.reason) == ("failed", "unknown_handler")
    assert "“gone”" in ended.message


def test_a_handler_that_another_live_node_has_is_waited_for(conn: Connection) -> None:
    ready(conn)
    Task.objects.update(handler="elsewhere")
    QueueEntry.objects.update(handler="elsewhere")
    node = make_registration(conn)
    Node.objects.filter(pk=node.node_id).update(known_handlers=["elsewhere"])
    assert needed(conn) == set()


@pytest.mark.parametrize("state", [0, 2, 3, 4])
def test_what_waits_of_a_task_that_was_deleted_past_the_services_is_cancelled(conn: Connection, state: int) -> None:
    task = ready(conn)
    QueueEntry.objects.update(state=state, gate=task.pk)
    TaskClock.objects.all().delete()
    conn.execute("DELETE FROM rota_task_revision")
    conn.execute("DELETE FROM rota_task WHERE id = %s", [task.pk])
    assert needed(conn) == {"rejected"}
    turn(conn)
    ended = TaskInstance.objects.get()
    assert (ended.outcome, ended.reason) == ("cancelled", "task_deleted")
    assert not QueueEntry.objects.exists()
