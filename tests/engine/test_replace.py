"""cancel_running and kill_running: the newest takes the place of the oldest."""

from __future__ import annotations

import pytest

from scheduling.db import Connection, own_connection
from scheduling.domain.states import EntryState
from scheduling.engine.admit import Admitted, admit
from scheduling.engine.admit_waiting import admit_freed, admit_waiting
from scheduling.engine.cancel import cancel
from scheduling.models import Pool, QueueEntry, TaskInstance
from tests.engine.work import claimed_by, gates_of, one_claim, queue, report_of, state_of, states
from tests.factories import make_namespace, make_registration, make_task
from tests.support.threads import in_background
from workers.domain.states import ExecutionState, NodeState
from workers.engine.check import check
from workers.engine.complete import complete
from workers.engine.heartbeat import heartbeat
from workers.engine.reap import reap


def asked(*ids: int) -> list[bool]:
    """Which of the instances were asked to stop."""
    entries = QueueEntry.objects.in_bulk(ids)
    return [entries[one].cancel_requested_at is not None for one in ids]


@pytest.mark.parametrize(("overlap", "kill"), [("cancel_running", False), ("kill_running", True)])
def test_what_runs_is_asked_to_stop_and_the_newest_takes_its_place(conn: Connection, overlap: str, kill: bool) -> None:
    task = make_task(overlap=overlap)
    node = make_registration(conn)
    (old,) = queue(conn, task)
    admit(conn, [task.pk])
    (claimed,) = claimed_by(conn, node)
    (new,) = queue(conn, task)
    admitted = admit(conn, [task.pk])
    assert (admitted.ready, admitted.asked, admitted.replaced) == (0, 1, 0)
    heard = heartbeat(conn, node_id=node.node_id, incarnation=node.incarnation, state=NodeState.ONLINE, busy=1)
    assert heard is not None
    assert (heard.kill if kill else heard.cancel) == {claimed.lease_id}
    assert (heard.cancel if kill else heard.kill) == set()
    done = complete(conn, [report_of(claimed, ExecutionState.CANCELLED, reason="cancelled")])
    assert admit_freed(conn, done.gates).ready == 1
    replaced = TaskInstance.objects.get(pk=old)
    assert (replaced.outcome, replaced.reason) == ("cancelled", "replaced")
    assert replaced.message == f"The newer instance {new} took its place."
    assert state_of(new) == "ready"
    assert check(conn) == []


def test_one_that_has_not_started_ends_at_once(conn: Connection) -> None:
    task = make_task(overlap="cancel_running")
    (old,) = queue(conn, task)
    admit(conn, [task.pk])
    (new,) = queue(conn, task)
    admitted = admit(conn, [task.pk])
    assert (admitted.ready, admitted.asked, admitted.replaced) == (1, 0, 1)
    assert (state_of(old), state_of(new)) == ("cancelled", "ready")
    assert TaskInstance.objects.get(pk=old).reason == "replaced"


def test_of_those_that_wait_only_the_newest_stays_and_nothing_is_asked_twice(conn: Connection) -> None:
    task = make_task(overlap="cancel_running")
    (running,) = queue(conn, task)
    admit(conn, [task.pk])
    claimed_by(conn, make_registration(conn))
    first, second = queue(conn, task, 2)
    assert admit(conn, [task.pk]).asked == 1
    (third,) = queue(conn, task)
    assert admit(conn, [task.pk]).asked == 0
    assert admit_waiting(conn) == Admitted()
    assert [state_of(one) for one in (running, first, second, third)] == ["running", "skipped", "skipped", "waiting"]
    passed_over = TaskInstance.objects.get(pk=first)
    assert passed_over.reason == "overlap"
    assert "newer instance" in passed_over.message


def test_with_a_limit_the_oldest_go_and_exactly_as_many_as_are_in_the_way(conn: Connection) -> None:
    task = make_task(overlap="cancel_running", max_running=3)
    made = queue(conn, task, 3)
    admit(conn, [task.pk])
    claimed_by(conn, make_registration(conn), slots=3)
    queue(conn, task)
    assert admit(conn, [task.pk]).asked == 1
    assert asked(*made) == [True, False, False]
    task.max_running = 2
    task.save()
    assert admit_waiting(conn).asked == 1
    assert asked(*made) == [True, True, False]


def test_instances_of_another_task_with_the_same_key_are_replaced_too(conn: Connection) -> None:
    patient = make_task(overlap="queue_all", concurrency_key="k")
    pushing = make_task(overlap="cancel_running", concurrency_key="k")
    (running,) = queue(conn, patient)
    admit(conn, gates_of(patient))
    claimed_by(conn, make_registration(conn))
    queue(conn, pushing)
    assert admit(conn, gates_of(pushing)).asked == 1
    assert asked(running) == [True]


def test_one_that_waits_patiently_ahead_is_neither_overtaken_nor_ended(conn: Connection) -> None:
    patient = make_task(overlap="queue_all", concurrency_key="k")
    pushing = make_task(overlap="cancel_running", concurrency_key="k")
    (running,) = queue(conn, patient)
    admit(conn, gates_of(patient))
    (claimed,) = claimed_by(conn, make_registration(conn))
    (ahead,) = queue(conn, patient)
    (new,) = queue(conn, pushing)
    assert admit(conn, gates_of(pushing)) == Admitted()
    assert asked(running) == [False]
    done = complete(conn, [report_of(claimed)])
    admitted = admit_freed(conn, done.gates)
    assert (state_of(ahead), state_of(new)) == ("cancelled", "ready"), "once it is through, it is live like any other"
    assert admitted.replaced == 1


def test_what_a_backfill_asked_for_is_left_alone(conn: Connection) -> None:
    task = make_task(overlap="cancel_running")
    running, waiting = queue(conn, task, 2)
    conn.execute("UPDATE rota_queue_entry SET backfill_id = 1")
    admit(conn, [task.pk])
    claimed_by(conn, make_registration(conn))
    (new,) = queue(conn, task)
    assert admit(conn, [task.pk]) == Admitted()
    assert [state_of(one) for one in (running, waiting, new)] == ["running", "waiting", "waiting"]
    assert asked(running) == [False]


def test_success_that_came_first_wins_and_a_retry_loses(conn: Connection) -> None:
    task = make_task(overlap="kill_running", max_running=2, max_attempts=3)
    made = queue(conn, task, 2)
    admit(conn, [task.pk])
    first, second = claimed_by(conn, make_registration(conn), slots=2)
    queue(conn, task)
    admit(conn, [task.pk])
    queue(conn, task)
    conn.execute("UPDATE rota_queue_entry SET cancel_requested_at = clock_timestamp() WHERE state = 1")
    done = complete(
        conn, [report_of(first), report_of(second, ExecutionState.FAILED, retry_seconds=0.0, reason="exit_code")]
    )
    assert sorted(done.accepted.values()) == ["cancelled", "succeeded"]
    assert [state_of(one) for one in made] == ["succeeded", "cancelled"]


def test_a_replaced_one_whose_worker_vanishes_ends_as_replaced(conn: Connection) -> None:
    task = make_task(overlap="cancel_running")
    node = make_registration(conn)
    (old,) = queue(conn, task)
    admit(conn, [task.pk])
    claimed_by(conn, node)
    queue(conn, task)
    admit(conn, [task.pk])
    assert reap(conn, incarnation=node.incarnation).gates == {task.pk}
    assert TaskInstance.objects.get(pk=old).reason == "replaced"


def test_one_that_waits_for_its_pool_can_be_replaced(conn: Connection) -> None:
    pool = Pool.objects.create(namespace=make_namespace(), name="p", slots=0)
    task = make_task(overlap="cancel_running", pool=pool)
    (old,) = queue(conn, task)
    admit(conn, [task.pk])
    (new,) = queue(conn, task)
    assert admit(conn, [task.pk]).replaced == 1
    assert (state_of(old), QueueEntry.objects.get(instance=new).state) == ("cancelled", EntryState.POOLED)


def test_one_that_is_being_claimed_at_that_moment_is_asked_once_it_runs(conn: Connection) -> None:
    task = make_task(overlap="cancel_running")
    (old,) = queue(conn, task)
    admit(conn, [task.pk])
    (new,) = queue(conn, task)
    node, other = make_registration(conn), own_connection("test")
    answers: list[Admitted] = []
    try:
        with conn.transaction():
            claimed_by(conn, node)
            with in_background(lambda: answers.append(admit(other, [task.pk]))):
                pass
            # It did not wait for whoever holds the entry, and did not choose another one instead.
            assert answers == [Admitted()]
        assert admit_waiting(other).asked == 1
    finally:
        other.close()
    assert (asked(old), state_of(new)) == ([True], "waiting")


def test_a_kill_may_follow_a_cancel_request_and_says_so(conn: Connection) -> None:
    claimed = one_claim(conn)
    node = QueueEntry.objects.get()
    cancel(conn, [claimed.instance_id], message="Cancelled by Ann.")
    cancel(conn, [claimed.instance_id], message="Killed by Bob.", kill=True)
    cancel(conn, [claimed.instance_id], message="Cancelled by Eve.")
    entry = QueueEntry.objects.get()
    assert (entry.kill_requested, entry.cancel_message) == (True, "Killed by Bob.")
    assert node.cancel_requested_at is None
    complete(conn, [report_of(claimed, ExecutionState.CANCELLED, reason="cancelled")])
    ended = TaskInstance.objects.get()
    assert (ended.outcome, ended.reason, ended.message) == ("cancelled", "cancelled", "Killed by Bob.")


@pytest.mark.parametrize("overlap", ["cancel_running", "kill_running"])
def test_when_many_come_at_once_one_is_left(conn: Connection, overlap: str) -> None:
    task = make_task(overlap=overlap)
    queue(conn, task, 7)
    admit(conn, [task.pk])
    counted = states(task)
    assert (counted["ready"], counted["waiting"], sum(counted.values())) == (1, 0, 7)
    newest = TaskInstance.objects.with_entry().order_by("-pk").first()
    assert newest is not None
    assert newest.state == "ready"
