"""Backfills: what they run, how much at once, and what becomes of them when something happens meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection as django_connection

from accounts.roles import Role
from scheduling.db import Connection, own_connection
from scheduling.domain.states import EntryState
from scheduling.engine.admit import admit
from scheduling.engine.backfill import advance_backfills
from scheduling.engine.partitions import create_ahead
from scheduling.models import Backfill, QueueEntry, Task, TaskInstance
from scheduling.runtime.loop import SchedulerLoop
from scheduling.services import run_task_now
from scheduling.services.backfill import create_backfill, plan_backfill, stop_backfill
from tests.engine.work import claimed_by, report_of
from tests.factories import make_registration, make_task, make_user
from tests.support.threads import at_once
from tests.support.waiting import wait_until
from workers.domain.states import ExecutionState
from workers.engine.complete import complete

#: A day long past, for which nothing has made a partition.
START = datetime(2024, 2, 28, 0, 0, tzinfo=UTC)
END = START + timedelta(days=1, hours=23)


def hourly(**over: Any) -> Task:
    """A task with 48 ticks in the range."""
    return make_task(**{"trigger": "cron", "cron_expression": "0 * * * *", **over})


def asked(task: Task, **over: Any) -> Backfill:
    """A backfill of the range that nobody has stored."""
    fields: dict[str, Any] = {"task": task, "from_at": START, "until_at": END, **over}
    return Backfill(**fields)


def go_on(conn: Connection) -> None:
    """One round of the schedulers' chore."""
    admit(conn, advance_backfills(conn).gates)


def live(backfill: Backfill, *states: EntryState) -> list[datetime]:
    """The ticks of the backfill that stand so in the queue, oldest first."""
    rows = QueueEntry.objects.filter(backfill_id=backfill.pk, state__in=[state.value for state in states])
    return list(rows.order_by("scheduled_for").values_list("scheduled_for", flat=True))


def run_ready(conn: Connection, state: ExecutionState = ExecutionState.SUCCEEDED) -> list[datetime]:
    """Claim what is ready, end it, and let others in; the ticks that ran."""
    claims = claimed_by(conn, make_registration(conn), slots=100)
    done = complete(conn, [report_of(claim, state) for claim in claims])
    admit(conn, done.gates)
    return [claim.scheduled_for for claim in claims]


def test_each_tick_of_the_range_runs_once_for_its_own_moment(conn: Connection) -> None:
    backfill = create_backfill(asked(hourly()))
    ran: list[datetime] = []
    while Backfill.objects.get(pk=backfill.pk).state == "running":
        go_on(conn)
        assert len(live(backfill, EntryState.READY)) <= 1
        ran += run_ready(conn)
    assert ran == [START + timedelta(hours=hour) for hour in range(48)]
    rows = TaskInstance.objects.filter(backfill_id=backfill.pk)
    assert set(rows.values_list("outcome", "origin", "fire_key")) == {
        ("succeeded", "backfill", f"backfill:{backfill.pk}")
    }


def test_side_by_side_runs_as_many_at_once_as_asked_and_no_more(conn: Connection) -> None:
    backfill = create_backfill(asked(hourly(overlap="allow"), overlap="allow", max_parallel=5))
    go_on(conn)
    assert len(live(backfill, EntryState.READY)) == 5
    first = claimed_by(conn, make_registration(conn), slots=2)
    admit(conn, complete(conn, [report_of(claim) for claim in first]).gates)
    assert len(live(backfill, EntryState.READY)) == 5, "two went, two came, without another round of the schedulers"


def test_the_limit_of_the_task_holds_as_well(conn: Connection) -> None:
    task = hourly(overlap="allow", max_running=2)
    run_task_now(task)
    backfill = create_backfill(asked(task, overlap="allow", max_parallel=5))
    go_on(conn)
    assert len(live(backfill, EntryState.READY)) == 1, "the run by hand has the other place"


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "queue_all"])
def test_a_tick_that_waits_is_not_ended_by_the_overlap_rule_of_the_task(conn: Connection, overlap: str) -> None:
    task = hourly(overlap=overlap)
    run_task_now(task)
    backfill = create_backfill(asked(task))
    go_on(conn)
    assert len(live(backfill, EntryState.WAITING)) == 48
    assert not TaskInstance.objects.filter(backfill_id=backfill.pk).exclude(outcome=None).exists()
    run_ready(conn)
    assert len(live(backfill, EntryState.READY)) == 1


def test_a_tick_whose_next_attempt_is_awaited_keeps_the_next_one_waiting(conn: Connection) -> None:
    backfill = create_backfill(asked(hourly(max_attempts=2)))
    go_on(conn)
    (claim,) = claimed_by(conn, make_registration(conn), slots=10)
    complete(conn, [report_of(claim, ExecutionState.FAILED, retry_seconds=3600.0)])
    go_on(conn)
    assert (live(backfill, EntryState.DELAYED), live(backfill, EntryState.READY)) == ([START], [])


def test_many_schedulers_make_no_instance_twice(conn: Connection) -> None:
    backfill = create_backfill(asked(hourly(cron_expression="* * * * *"), until_at=START + timedelta(hours=3)))
    connections = [own_connection("test") for _ in range(4)]
    at_once(*[partial(go_on, connection) for connection in connections])
    for connection in connections:
        connection.close()
    assert QueueEntry.objects.filter(backfill_id=backfill.pk).count() <= 181
    while Backfill.objects.get(pk=backfill.pk).state == "running":
        go_on(conn)
        run_ready(conn)
    assert TaskInstance.objects.filter(backfill_id=backfill.pk, outcome="succeeded").count() == 181


def test_a_running_scheduler_starts_a_backfill_and_ends_it(conn: Connection) -> None:
    loop = SchedulerLoop()
    backfill = create_backfill(asked(hourly(), until_at=START + timedelta(hours=2)))

    def ended() -> bool:
        loop.turn()
        run_ready(conn)
        return Backfill.objects.get(pk=backfill.pk).state == "finished"

    wait_until(ended)
    loop.close()
    assert Backfill.objects.get(pk=backfill.pk).finished_at is not None


def test_stopping_cancels_what_waits_and_lets_run_what_runs(conn: Connection) -> None:
    backfill = create_backfill(asked(hourly()))
    go_on(conn)
    (claim,) = claimed_by(conn, make_registration(conn), slots=10)
    assert stop_backfill(backfill) == 47
    assert (backfill.state, live(backfill, EntryState.RUNNING)) == ("stopped", [START])
    assert QueueEntry.objects.get().cancel_requested_at is None
    go_on(conn)
    complete(conn, [report_of(claim)])
    outcomes = list(TaskInstance.objects.filter(backfill_id=backfill.pk).values_list("outcome", flat=True))
    assert sorted(filter(None, outcomes)) == ["cancelled"] * 47 + ["succeeded"]


def test_stopping_can_tell_what_runs_to_stop_too(conn: Connection) -> None:
    backfill = create_backfill(asked(hourly()))
    go_on(conn)
    claimed_by(conn, make_registration(conn), slots=10)
    assert stop_backfill(backfill, cancel_running=True) == 48
    assert QueueEntry.objects.get().cancel_requested_at is not None


@pytest.mark.parametrize("reprocess", ["none", "failed", "all"])
def test_what_a_running_backfill_has_still_to_make_is_not_run_by_a_second_one(conn: Connection, reprocess: str) -> None:
    task = hourly()
    create_backfill(asked(task, reprocess=reprocess, until_at=START + timedelta(hours=23)))
    go_on(conn)
    second = plan_backfill(asked(task, reprocess=reprocess))
    assert (second.in_range, second.left_out) == (48, 24)
    with pytest.raises(ValidationError, match="or is about to have one"):
        create_backfill(asked(task, reprocess=reprocess, until_at=START + timedelta(hours=23)))


def test_a_backfill_that_is_asked_for_twice_at_once_is_made_once(conn: Connection) -> None:
    task = hourly()

    def ask() -> bool:
        try:
            create_backfill(asked(task))
        except ValidationError:
            return False
        finally:
            django_connection.close()
        return True

    assert sorted(at_once(ask, ask, ask, ask)) == [False, False, False, True]
    assert Backfill.objects.get().total == 48


def test_what_a_stopped_backfill_had_still_to_make_can_be_asked_for_again(conn: Connection) -> None:
    task = hourly()
    stop_backfill(create_backfill(asked(task)))
    assert plan_backfill(asked(task)).left_out == 0


def test_an_edit_of_the_schedule_does_not_change_what_a_backfill_does(conn: Connection) -> None:
    task = hourly()
    backfill = create_backfill(asked(task))
    Task.objects.filter(pk=task.pk).update(cron_expression="30 * * * *")
    go_on(conn)
    assert len(live(backfill, EntryState.READY, EntryState.WAITING)) == 48
    assert live(backfill, EntryState.READY) == [START]


@pytest.mark.parametrize(
    ("reprocess", "expected"), [("none", {1, 3, 4}), ("failed", {1, 2, 3, 4}), ("all", {0, 1, 2, 3, 4})]
)
def test_reprocess_decides_about_ticks_by_their_latest_run(
    conn: Connection, reprocess: str, expected: set[int]
) -> None:
    """Hour 0 succeeded, 1 was skipped, 2 failed, 3 was cancelled before it started, 4 has no instance."""
    task = hourly(overlap="allow")
    history = create_backfill(asked(task, until_at=START + timedelta(hours=3), overlap="allow", max_parallel=9))
    go_on(conn)
    for hour, outcome in enumerate(["succeeded", "skipped", "failed", "cancelled"]):
        conn.execute(
            "UPDATE rota_instance SET outcome = %s, finished_at = now(), failed_at = %s, started_at = %s "
            "WHERE backfill_id = %s AND scheduled_for = %s",
            [
                outcome,
                START if outcome == "failed" else None,
                START if outcome in {"succeeded", "failed"} else None,
                history.pk,
                START + timedelta(hours=hour),
            ],
        )
    Backfill.objects.filter(pk=history.pk).update(state="finished")
    plan = plan_backfill(asked(task, until_at=START + timedelta(hours=4), reprocess=reprocess))
    assert {round((tick - START) / timedelta(hours=1)) for tick in plan.ticks} == expected
    assert (plan.in_range, plan.left_out) == (5, 5 - len(expected))


@pytest.mark.parametrize(
    ("over", "field", "words"),
    [
        ({"until_at": START - timedelta(hours=1)}, "until_at", "before it begins"),
        ({"until_at": datetime(2199, 1, 1, tzinfo=UTC)}, "until_at", "must lie in the past"),
        ({"from_at": datetime(2024, 1, 1)}, "from_at", "time zone"),  # noqa: DTZ001 - a naive moment is the point
        ({"from_at": START - timedelta(days=500)}, "until_at", "12048 ticks"),
        ({"max_parallel": 2}, "max_parallel", "means one at once"),
        ({"max_parallel": 0}, "max_parallel", "greater than or equal to 1"),
        ({"overlap": "skip"}, "overlap", "not a valid choice"),
        ({"reprocess": "some"}, "reprocess", "not a valid choice"),
        ({"from_at": START + timedelta(minutes=1), "until_at": START + timedelta(minutes=2)}, "until_at", "no tick"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    conn: Connection, over: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        create_backfill(asked(hourly(), **over))
    assert words in " ".join(refused.value.message_dict[field])
    assert not Backfill.objects.exists()


def test_a_task_without_a_schedule_has_no_ticks_to_run(conn: Connection) -> None:
    with pytest.raises(ValidationError, match="only runs by hand"):
        create_backfill(asked(make_task()))


def test_a_viewer_may_not_start_or_stop_one(conn: Connection) -> None:
    viewer, task = make_user(default=Role.VIEWER), hourly()
    with pytest.raises(PermissionDenied):
        create_backfill(asked(task), actor=viewer)
    backfill = create_backfill(asked(task), actor=make_user(default=Role.OPERATOR))
    with pytest.raises(PermissionDenied):
        stop_backfill(backfill, actor=viewer)
    assert Backfill.objects.get().state == "running"


@pytest.fixture(autouse=True)
def _todays_partitions(conn: Connection) -> None:
    """Runs by hand happen now."""
    create_ahead(conn, now=datetime.now(UTC), days=1)
