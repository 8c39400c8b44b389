"""Each race of two verbs over one instance, in both orders, on separate connections."""

from __future__ import annotations

import pytest

from scheduling.db import Connection
from scheduling.engine.admit import Admitted, admit
from scheduling.engine.admit_waiting import admit_freed
from scheduling.engine.cancel import CancelResult, cancel
from scheduling.models import Task, TaskInstance
from tests.engine.work import claimed_by, one_claim, queue, ready, report_of, state_of, states
from tests.factories import make_registration, make_task
from tests.races.orders import overlapping
from workers.domain.states import ExecutionState
from workers.engine.check import check
from workers.engine.claim import Claimed
from workers.engine.complete import complete
from workers.engine.nodes import Registration
from workers.engine.reap import reap


@pytest.mark.parametrize("kill", [False, True])
def test_success_before_a_cancel_or_kill_wins(conn: Connection, kill: bool) -> None:
    claimed = one_claim(conn)
    done, asked = overlapping(
        lambda one: complete(one, [report_of(claimed)]),
        lambda two: cancel(two, [claimed.instance_id], message="Stop.", kill=kill),
    )
    assert done.accepted == {claimed.lease_id: "succeeded"}
    assert (asked.requested, asked.cancelled) == ([], [])
    assert state_of(claimed.instance_id) == "succeeded"
    assert check(conn) == []


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize(("retries", "outcome"), [(False, "succeeded"), (True, "cancelled")])
def test_after_a_cancel_or_kill_success_still_wins_and_a_retry_loses(
    conn: Connection, kill: bool, retries: bool, outcome: str
) -> None:
    claimed = one_claim(conn, max_attempts=3)
    report = report_of(claimed, ExecutionState.FAILED, retry_seconds=0.0) if retries else report_of(claimed)
    asked, done = overlapping(
        lambda one: cancel(one, [claimed.instance_id], message="Stop.", kill=kill),
        lambda two: complete(two, [report]),
    )
    assert asked.requested == [claimed.instance_id]
    assert done.accepted == {claimed.lease_id: outcome}
    assert state_of(claimed.instance_id) == outcome
    assert check(conn) == []


def a_claim_of(conn: Connection) -> tuple[Claimed, Registration]:
    """A claim, and the node that holds it."""
    ready(conn)
    node = make_registration(conn)
    (claimed,) = claimed_by(conn, node)
    return claimed, node


def test_a_completion_before_the_reaper_stands(conn: Connection) -> None:
    claimed, node = a_claim_of(conn)
    done, reaped = overlapping(
        lambda one: complete(one, [report_of(claimed)]), lambda two: reap(two, incarnation=node.incarnation)
    )
    assert (done.stale, reaped.count) == ([], 0)
    assert state_of(claimed.instance_id) == "succeeded"
    assert check(conn) == []


def test_a_completion_after_the_reaper_is_refused(conn: Connection) -> None:
    claimed, node = a_claim_of(conn)
    reaped, done = overlapping(
        lambda one: reap(one, incarnation=node.incarnation), lambda two: complete(two, [report_of(claimed)])
    )
    assert (reaped.again, done.stale) == (1, [claimed.lease_id])
    assert state_of(claimed.instance_id) == "ready"
    assert check(conn) == []


def one_runs_one_waits(conn: Connection) -> tuple[Task, Claimed]:
    """A task whose one place is taken, and the claim that has it."""
    task = make_task(overlap="queue_all")
    queue(conn, task, 2)
    admit(conn, [task.pk])
    (claimed,) = claimed_by(conn, make_registration(conn))
    return task, claimed


def test_an_admission_during_a_completion_sees_no_room_and_the_one_after_it_does(conn: Connection) -> None:
    task, claimed = one_runs_one_waits(conn)
    done, admitted = overlapping(lambda one: complete(one, [report_of(claimed)]), lambda two: admit(two, [task.pk]))
    assert admitted == Admitted()
    assert admit_freed(conn, done.gates).ready == 1


def test_a_completion_during_an_admission_waits_at_the_gate_and_then_finds_room(conn: Connection) -> None:
    task, claimed = one_runs_one_waits(conn)
    admitted, afterwards = overlapping(
        lambda one: admit(one, [task.pk]),
        lambda two: admit_freed(two, complete(two, [report_of(claimed)]).gates),
    )
    assert (admitted.ready, afterwards.ready) == (0, 1)
    assert states(task) == {"succeeded": 1, "ready": 1}


def test_a_cancel_after_a_claim_asks_the_worker(conn: Connection) -> None:
    task = ready(conn)
    (instance_id,) = TaskInstance.objects.filter(task=task).values_list("pk", flat=True)
    node = make_registration(conn)
    claims, asked = overlapping(
        lambda one: claimed_by(one, node), lambda two: cancel(two, [instance_id], message="Stop.")
    )
    assert len(claims) == 1
    assert asked.requested == [instance_id]


def test_a_claim_after_a_cancel_gets_nothing(conn: Connection) -> None:
    task = ready(conn)
    (instance_id,) = TaskInstance.objects.filter(task=task).values_list("pk", flat=True)
    node = make_registration(conn)
    asked, claims = overlapping(
        lambda one: cancel(one, [instance_id], message="Stop."), lambda two: claimed_by(two, node)
    )
    assert (asked.cancelled, claims) == ([instance_id], [])
    assert state_of(instance_id) == "cancelled"


def test_an_admission_passes_by_what_somebody_is_cancelling_and_their_own_makes_good(conn: Connection) -> None:
    task = make_task(overlap="queue_all")
    first, second = queue(conn, task, 2)

    def cancelling(one: Connection) -> CancelResult:
        return cancel(one, [first], message="Stop.")

    asked, admitted = overlapping(cancelling, lambda two: admit(two, [task.pk]))
    assert admitted.ready == 0
    assert admit(conn, asked.gates).ready == 1
    assert (state_of(first), state_of(second)) == ("cancelled", "ready")
