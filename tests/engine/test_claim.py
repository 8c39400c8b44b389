"""claim: each ready instance goes to exactly one worker that may run it."""

from __future__ import annotations

from scheduling.db import Connection, own_connection
from scheduling.domain.states import Origin
from scheduling.engine.admit import admit
from scheduling.engine.cancel import cancel
from scheduling.engine.enqueue import enqueue
from scheduling.models import QueueEntry, TaskInstance
from tests.engine.work import claimed_by, ready
from tests.factories import make_registration
from tests.support.threads import at_once
from workers.engine.check import check
from workers.engine.claim import Claimed, claim
from workers.engine.give_back import give_back, give_back_forgotten
from workers.models import Execution, Node


def test_a_claim_takes_the_lease_and_leaves_an_execution_as_evidence(conn: Connection) -> None:
    task = ready(conn, timeout_seconds=60, max_attempts=3)
    node = make_registration(conn)
    (claimed,) = claimed_by(conn, node)
    entry = QueueEntry.objects.get()
    execution = Execution.objects.get()
    assert (entry.state, entry.lease_id, entry.holder) == (1, claimed.lease_id, node.incarnation)
    assert entry.deadline_at is not None
    assert (execution.pk, execution.state, execution.attempt) == (claimed.lease_id, "running", 1)
    assert (claimed.task_id, claimed.attempt, claimed.max_attempts) == (task.pk, 1, 3)
    assert claimed_by(conn, node) == []


def test_workers_that_claim_at_once_never_share_an_instance(conn: Connection) -> None:
    ready(conn, 200)
    node = make_registration(conn)
    others = [own_connection("test") for _ in range(8)]

    def drain(c: Connection) -> list[Claimed]:
        taken: list[Claimed] = []
        while batch := claimed_by(c, node, slots=7):
            taken += batch
        return taken

    try:
        answers = at_once(*(lambda c=c: drain(c) for c in others))
    finally:
        for other in others:
            other.close()
    taken = [claimed.instance_id for answer in answers for claimed in answer]
    assert len(taken) == len(set(taken)) == 200
    assert len({claimed.lease_id for answer in answers for claimed in answer}) == 200


def test_a_claim_takes_no_more_than_its_slots_even_with_a_plan_made_for_an_empty_queue(conn: Connection) -> None:
    conn.execute("ALTER TABLE rota_queue_entry SET (autovacuum_enabled = off)")
    ready(conn, 1)
    conn.execute("ANALYZE rota_queue_entry")
    ready(conn, 100)
    try:
        assert len(claimed_by(conn, make_registration(conn), slots=5)) == 5
        assert QueueEntry.objects.filter(state=1).count() == 5
    finally:
        conn.execute("ALTER TABLE rota_queue_entry RESET (autovacuum_enabled)")


def test_higher_priority_goes_first_across_queues_and_handlers(conn: Connection) -> None:
    low = ready(conn, priority=-5)
    urgent = ready(conn, priority=5, queue="other", handler="http")
    plain = ready(conn)
    node = make_registration(conn)
    claims = claimed_by(conn, node, slots=3, queues=["default", "other"], handlers=["shell", "http"])
    assert [claimed.task_id for claimed in claims] == [urgent.pk, plain.pk, low.pk]


def test_a_worker_gets_nothing_from_other_queues_or_for_handlers_it_was_not_started_with(conn: Connection) -> None:
    ready(conn, queue="other")
    ready(conn, handler="sql")
    assert claimed_by(conn, make_registration(conn), slots=9) == []


def test_a_node_that_was_taken_over_or_drains_gets_nothing(conn: Connection) -> None:
    ready(conn)
    node = make_registration(conn)
    stale = claim(
        conn, node_id=node.node_id, incarnation=node.incarnation - 1, queues=["default"], handlers=["shell"], slots=1
    )
    assert stale == []
    Node.objects.update(state="draining")
    assert claimed_by(conn, node) == []


def test_a_worker_that_missed_the_answer_to_its_claim_gives_back_what_it_does_not_know(conn: Connection) -> None:
    ready(conn, 3)
    node = make_registration(conn)
    other = make_registration(conn)
    known, _ = claimed_by(conn, node, slots=2)
    (others,) = claimed_by(conn, other)
    given = give_back_forgotten(conn, incarnation=node.incarnation, known=[known.lease_id])
    assert given.queues == {"default"}
    assert set(Execution.objects.values_list("pk", flat=True)) == {known.lease_id, others.lease_id}
    entry = QueueEntry.objects.get(state=0)
    assert (entry.attempt, entry.holder) == (0, None)
    assert check(conn) == []


def test_what_was_cancelled_while_it_waited_for_a_slot_never_starts(conn: Connection) -> None:
    task = ready(conn, 2, max_running=2)
    admit(conn, {task.pk})
    node = make_registration(conn)
    kept, unwanted = claimed_by(conn, node, slots=2)
    cancel(conn, [unwanted.instance_id], message="not any more")
    given = give_back(conn, [kept, unwanted])
    assert (given.queues, given.cancelled, given.gates) == ({"default"}, 1, {task.pk})
    instance = TaskInstance.objects.get(pk=unwanted.instance_id)
    assert (instance.outcome, instance.reason, instance.message) == ("cancelled", "cancelled", "not any more")
    assert [again.instance_id for again in claimed_by(conn, node, slots=2)] == [kept.instance_id]
    assert check(conn) == []


def test_what_is_committed_late_is_claimed_although_younger_work_went_before(conn: Connection) -> None:
    task = ready(conn, 0)
    late = own_connection("test late")
    try:
        with late.transaction():
            held = enqueue(late, task_id=task.pk, origin=Origin.CODE)
            assert held is not None
            enqueue(conn, task_id=task.pk, origin=Origin.CODE)
            node = make_registration(conn)
            assert [each.instance_id for each in claimed_by(conn, node, slots=8)] == [held.instance_id + 1]
        assert [each.instance_id for each in claimed_by(conn, node, slots=8)] == [held.instance_id]
    finally:
        late.close()
