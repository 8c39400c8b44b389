"""reap: a lease whose worker is gone is ended, and its instance decided by the task's policy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduling.db import Connection, database_now
from scheduling.domain.states import EntryState
from scheduling.engine.cancel import cancel
from scheduling.engine.promote import promote
from scheduling.models import QueueEntry, TaskInstance
from tests.engine.work import claimed_by, one_claim, ready, report_of
from tests.factories import make_registration
from workers.conf import conf
from workers.engine.check import check
from workers.engine.complete import complete
from workers.engine.nodes import leave
from workers.engine.reap import reap
from workers.models import Execution, Node


def silence(conn: Connection) -> None:
    """Let every node have been silent for longer than a lease lasts."""
    Node.objects.update(last_seen_at=database_now(conn) - timedelta(seconds=conf().lease_seconds + 1))


def test_work_of_a_worker_that_is_alive_is_left_alone(conn: Connection) -> None:
    one_claim(conn)
    assert reap(conn).count == 0


def test_lost_work_runs_again_and_the_loss_is_no_attempt_of_its_own(conn: Connection) -> None:
    claimed = one_claim(conn)
    silence(conn)
    reaped = reap(conn)
    entry = QueueEntry.objects.get()
    execution = Execution.objects.get()
    assert (reaped.again, reaped.queues) == (1, {"default"})
    assert (entry.state, entry.losses, entry.lease_id) == (0, 1, None)
    assert (execution.state, execution.reason) == ("lost", "worker_lost")
    (again,) = claimed_by(conn, make_registration(conn))
    assert again.lease_id > claimed.lease_id, "the fencing token grows"
    assert again.attempt - again.losses == 1
    assert check(conn) == []


def test_an_instance_has_been_running_since_the_first_start_though_its_worker_was_lost(conn: Connection) -> None:
    first = one_claim(conn)
    silence(conn)
    reap(conn)
    (again,) = claimed_by(conn, make_registration(conn))
    complete(conn, [report_of(again)])
    instance = TaskInstance.objects.get()
    begun = Execution.objects.get(pk=first.lease_id).started_at
    assert (instance.outcome, instance.started_at) == ("succeeded", begun)


def test_work_that_must_not_be_repeated_fails(conn: Connection) -> None:
    one_claim(conn, on_worker_lost="fail")
    silence(conn)
    assert reap(conn).ended == 1
    instance = TaskInstance.objects.get()
    assert (instance.outcome, instance.reason) == ("failed", "worker_lost")
    assert instance.message
    assert check(conn) == []


def test_work_that_keeps_losing_its_worker_fails_in_the_end(conn: Connection) -> None:
    ready(conn)
    for _ in range(conf().max_losses + 1):
        assert claimed_by(conn, make_registration(conn))
        silence(conn)
        assert reap(conn).count == 1
    assert TaskInstance.objects.get().outcome == "failed"
    assert Execution.objects.filter(state="lost").count() == conf().max_losses + 1


def test_a_worker_that_stopped_in_order_has_no_leases_left(conn: Connection) -> None:
    ready(conn)
    node = make_registration(conn)
    claimed_by(conn, node)
    leave(conn, node_id=node.node_id, incarnation=node.incarnation)
    assert reap(conn).again == 1


def test_a_cancel_request_decides_lost_work(conn: Connection) -> None:
    claimed = one_claim(conn)
    cancel(conn, [claimed.instance_id], message="enough")
    silence(conn)
    reap(conn)
    instance = TaskInstance.objects.get()
    assert (instance.outcome, instance.message) == ("cancelled", "enough")


def test_work_long_past_its_deadline_is_ended_although_its_worker_lives(conn: Connection) -> None:
    one_claim(conn, timeout_seconds=1)
    late = timedelta(seconds=conf().deadline_slack_seconds + 11)
    QueueEntry.objects.update(deadline_at=database_now(conn) - late)
    assert reap(conn).ended == 1
    assert TaskInstance.objects.get().reason == "timed_out"
    assert Execution.objects.get().state == "timed_out"
    assert check(conn) == []


def past_deadline(conn: Connection, seconds: float) -> None:
    """Let the deadline of what runs have passed so long ago."""
    QueueEntry.objects.update(deadline_at=database_now(conn) - timedelta(seconds=seconds))


def test_the_reaper_leaves_the_worker_the_kill_grace_of_the_task(conn: Connection) -> None:
    one_claim(conn, timeout_seconds=1, kill_grace_seconds=60)
    past_deadline(conn, conf().deadline_slack_seconds + 30)
    assert reap(conn).count == 0
    past_deadline(conn, conf().deadline_slack_seconds + 61)
    assert reap(conn).ended == 1


def test_work_long_past_its_deadline_is_tried_again_while_it_has_attempts_left(conn: Connection) -> None:
    ready(conn, timeout_seconds=1, max_attempts=2, retry_backoff="fixed", retry_delay_seconds=0)
    node = make_registration(conn)
    claimed_by(conn, node)
    past_deadline(conn, conf().deadline_slack_seconds + 11)
    reaped = reap(conn)
    assert (reaped.again, reaped.ended, reaped.delayed) == (1, 0, 1)
    entry = QueueEntry.objects.get()
    assert (entry.state, entry.losses) == (EntryState.DELAYED, 0), "it was an attempt of the task's own"
    assert Execution.objects.get().state == "timed_out"
    assert check(conn) == []
    promote(conn)
    claimed_by(conn, node)
    past_deadline(conn, conf().deadline_slack_seconds + 11)
    assert reap(conn).ended == 1
    assert TaskInstance.objects.get().reason == "timed_out"
    assert check(conn) == []


def test_what_the_task_never_tries_again_after_a_time_out_the_reaper_does_not_either(conn: Connection) -> None:
    one_claim(conn, timeout_seconds=1, max_attempts=3, give_up_on=["timed_out"])
    past_deadline(conn, conf().deadline_slack_seconds + 11)
    assert reap(conn).ended == 1
    assert TaskInstance.objects.get().outcome == "failed"


def test_a_cancel_request_decides_work_long_past_its_deadline(conn: Connection) -> None:
    claimed = one_claim(conn, timeout_seconds=1, max_attempts=3)
    cancel(conn, [claimed.instance_id], message="enough")
    past_deadline(conn, conf().deadline_slack_seconds + 11)
    assert reap(conn).ended == 1
    instance = TaskInstance.objects.get()
    assert (instance.outcome, instance.message) == ("cancelled", "enough")
    assert Execution.objects.get().state == "timed_out"


def test_work_whose_worker_is_gone_was_lost_however_late_that_is_found_out(conn: Connection) -> None:
    one_claim(conn, timeout_seconds=1)
    past_deadline(conn, 3600)
    silence(conn)
    assert reap(conn).again == 1, "no scheduler ran for an hour either, and the task runs again what was lost"
    assert Execution.objects.get().state == "lost"


def test_a_new_worker_on_the_same_node_takes_over_at_once(conn: Connection) -> None:
    ready(conn)
    first = make_registration(conn, name="n")
    claimed_by(conn, first)
    with pytest.raises(Exception, match="is alive"):
        make_registration(conn, name="n")
    second = make_registration(conn, name="n", same_process_is_gone=True)
    assert second.predecessor == first.incarnation
    assert reap(conn, incarnation=second.predecessor).again == 1
