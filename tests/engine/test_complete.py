"""complete: only the holder of the current lease is heard, and final states are final."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from scheduling.db import Connection, own_connection
from scheduling.engine.cancel import cancel
from scheduling.engine.partitions import create_partitions, days_of
from scheduling.engine.promote import promote
from scheduling.kept_plans import keeping_connection
from scheduling.models import QueueEntry, TaskInstance
from tests.engine.work import claimed_by, one_claim, ready, report_of
from tests.factories import make_registration
from tests.support.threads import at_once
from workers.domain.states import ExecutionState
from workers.engine.check import check
from workers.engine.complete import Completed, complete
from workers.engine.reap import reap
from workers.models import Execution


@pytest.fixture(params=["planned each time", "keeps its plans"])
def conn(request: pytest.FixtureRequest, conn: Connection) -> Iterator[Connection]:
    """A connection of either kind; workers have the second one, unless a pooler is in between."""
    if request.param == "planned each time":
        yield conn
        return
    keeping = keeping_connection("test")
    yield keeping
    keeping.close()


def test_reports_of_several_days_are_accepted_together(conn: Connection) -> None:
    planner = "SELECT setting FROM pg_settings WHERE name = 'enable_seqscan'"
    before = conn.execute(planner).fetchone()
    first, second = one_claim(conn), one_claim(conn)
    yesterday = second.scheduled_for - timedelta(days=1)
    create_partitions(conn, days_of([yesterday]))
    for table in ("rota_instance", "rota_execution", "rota_queue_entry"):
        key = "id" if table == "rota_instance" else "instance_id"
        move = sql.SQL("UPDATE {} SET scheduled_for = %s WHERE {} = %s").format(*map(sql.Identifier, (table, key)))
        conn.execute(move, [yesterday, second.instance_id])
    done = complete(conn, [report_of(first), report_of(second, scheduled_for=yesterday)])
    assert done.accepted == {first.lease_id: "succeeded", second.lease_id: "succeeded"}
    assert set(Execution.objects.values_list("state", flat=True)) == {"succeeded"}
    assert set(TaskInstance.objects.values_list("outcome", flat=True)) == {"succeeded"}
    assert conn.execute(planner).fetchone() == before


def test_success_ends_the_instance_and_empties_the_queue(conn: Connection) -> None:
    claimed = one_claim(conn)
    done = complete(conn, [report_of(claimed, result='{"rows": 3}')])
    instance = TaskInstance.objects.get()
    execution = Execution.objects.get()
    assert done.accepted == {claimed.lease_id: "succeeded"}
    assert (instance.outcome, instance.attempts, instance.last_execution_id) == ("succeeded", 1, claimed.lease_id)
    assert (execution.state, execution.result) == ("succeeded", {"rows": 3})
    assert instance.started_at == execution.started_at
    assert not QueueEntry.objects.exists()


def test_the_same_report_again_is_refused_and_changes_nothing(conn: Connection) -> None:
    claimed = one_claim(conn)
    complete(conn, [report_of(claimed)])
    again = complete(conn, [report_of(claimed, ExecutionState.FAILED)])
    assert (again.accepted, again.stale) == ({}, [claimed.lease_id])
    assert TaskInstance.objects.get().outcome == "succeeded"


def test_a_report_of_a_lost_lease_cannot_finish_the_attempt_that_replaced_it(conn: Connection) -> None:
    lost = one_claim(conn)
    reap(conn, incarnation=QueueEntry.objects.get().holder)
    (current,) = claimed_by(conn, make_registration(conn))
    assert complete(conn, [report_of(lost)]).stale == [lost.lease_id]
    assert QueueEntry.objects.get().lease_id == current.lease_id
    assert Execution.objects.get(pk=lost.lease_id).state == "lost"
    assert complete(conn, [report_of(current)]).accepted == {current.lease_id: "succeeded"}
    assert check(conn) == []


def test_a_failure_with_attempts_left_waits_for_its_next_attempt(conn: Connection) -> None:
    claimed = one_claim(conn, max_attempts=2)
    done = complete(conn, [report_of(claimed, ExecutionState.FAILED, retry_seconds=60.0)])
    entry = QueueEntry.objects.get()
    assert (done.accepted, done.retries) == ({claimed.lease_id: "retry"}, 1)
    assert (entry.state, entry.lease_id, entry.attempt) == (3, None, 1)
    assert TaskInstance.objects.with_entry().get().state == "waiting"
    assert Execution.objects.get().state == "failed"


def test_a_retry_beyond_the_last_attempt_fails_whatever_the_worker_asks(conn: Connection) -> None:
    claimed = one_claim(conn, max_attempts=1)
    complete(conn, [report_of(claimed, ExecutionState.FAILED, retry_seconds=0.0, message="no")])
    instance = TaskInstance.objects.get()
    assert (instance.outcome, instance.message) == ("failed", "no")
    assert instance.failed_at is not None


@pytest.mark.parametrize(
    ("state", "retry_seconds", "outcome"),
    [
        (ExecutionState.SUCCEEDED, None, "succeeded"),
        (ExecutionState.FAILED, 0.0, "cancelled"),
        (ExecutionState.CANCELLED, None, "cancelled"),
        (ExecutionState.FAILED, None, "failed"),
    ],
)
def test_success_beats_a_cancel_request_and_a_retry_loses_to_it(
    conn: Connection, state: ExecutionState, retry_seconds: float | None, outcome: str
) -> None:
    claimed = one_claim(conn, max_attempts=5)
    assert cancel(conn, [claimed.instance_id], message="stop it").requested == [claimed.instance_id]
    complete(conn, [report_of(claimed, state, retry_seconds=retry_seconds)])
    instance = TaskInstance.objects.get()
    assert instance.outcome == outcome
    assert (instance.message == "stop it") == (outcome == "cancelled")


def test_completions_and_reaping_at_the_same_moment_accept_each_lease_once(conn: Connection) -> None:
    ready(conn, 60)
    node = make_registration(conn)
    claims = claimed_by(conn, node, slots=60)
    others = [own_connection("test") for _ in range(4)]

    def report(c: Connection) -> Completed:
        return complete(c, [report_of(claimed) for claimed in claims])

    def reaping(c: Connection) -> Completed:
        reap(c, incarnation=node.incarnation)
        return Completed()

    try:
        answers = at_once(
            lambda: report(others[0]),
            lambda: report(others[1]),
            lambda: reaping(others[2]),
            lambda: reaping(others[3]),
        )
    finally:
        for other in others:
            other.close()
    accepted = [lease for answer in answers for lease in answer.accepted]
    assert len(accepted) == len(set(accepted))
    assert TaskInstance.objects.filter(outcome="succeeded").count() == len(accepted)
    assert QueueEntry.objects.filter(state=0).count() == 60 - len(accepted)
    assert check(conn) == []


def test_a_result_that_the_database_refuses_writes_nothing_of_its_batch(conn: Connection) -> None:
    ready(conn, 2)
    good, bad = claimed_by(conn, make_registration(conn), slots=2)
    with pytest.raises(psycopg.Error):
        complete(conn, [report_of(good), report_of(bad, result='"\\u0000"')])
    assert QueueEntry.objects.filter(state=1).count() == 2


def test_an_attempt_that_asks_for_later_without_being_counted_uses_up_none_of_its_attempts(conn: Connection) -> None:
    claimed = one_claim(conn, max_attempts=1)
    node = make_registration(conn)
    for times in (1, 2, 3):
        later = report_of(claimed, ExecutionState.FAILED, reason="try_later", retry_seconds=0.0, counted=False)
        assert complete(conn, [later]).accepted == {claimed.lease_id: "retry"}
        promote(conn)
        (claimed,) = claimed_by(conn, node)
        assert (claimed.attempt, claimed.postponed, claimed.attempts_of_its_own) == (times + 1, times, 1)
    failure = report_of(claimed, ExecutionState.FAILED, retry_seconds=0.0)
    assert complete(conn, [failure]).accepted == {claimed.lease_id: "failed"}
    assert check(conn) == []


def test_asking_for_later_without_end_ends_before_the_number_of_the_attempt_runs_over(conn: Connection) -> None:
    claimed = one_claim(conn, max_attempts=3)
    QueueEntry.objects.update(attempt=30_000, postponed=29_999)
    later = report_of(claimed, ExecutionState.FAILED, reason="put_off", retry_seconds=0.0, counted=False)
    assert complete(conn, [later]).accepted == {claimed.lease_id: "failed"}


def test_asking_for_later_loses_to_a_cancel_request(conn: Connection) -> None:
    claimed = one_claim(conn, max_attempts=1)
    cancel(conn, [claimed.instance_id], message="Stop.")
    later = report_of(claimed, ExecutionState.FAILED, retry_seconds=0.0, counted=False)
    assert complete(conn, [later]).accepted == {claimed.lease_id: "cancelled"}
