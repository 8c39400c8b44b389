"""run_task: work is queued in the caller's own transaction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from scheduling.db import Connection, database_now
from scheduling.exceptions import UnknownTask
from scheduling.models import QueueEntry, TaskInstance
from scheduling.services import rerun_instance, run_task, run_task_now
from tests.engine.work import claimed_by, report_of
from tests.factories import make_registration, make_task
from tests.support.threads import at_once
from workers.engine.complete import complete


class Rollback(Exception):
    """The caller changes its mind."""


def test_a_rollback_leaves_nothing_and_a_commit_makes_it_visible(conn: Connection) -> None:
    make_task(name="report", overlap="allow")

    @transaction.atomic
    def change_my_mind() -> None:
        run_task("report", key="k")
        raise Rollback

    with pytest.raises(Rollback):
        change_my_mind()
    assert not TaskInstance.objects.exists()
    with transaction.atomic():
        instance = run_task("report", key="k")
        seen = conn.execute("SELECT count(*) FROM rota_queue_entry").fetchone()
        assert seen == (0,), "others see nothing before the commit"
    assert QueueEntry.objects.get().instance_id == instance.pk
    assert instance.origin == "code"


def test_the_same_key_returns_the_first_instance_again(conn: Connection) -> None:
    make_task(name="report")
    first = run_task("report", key="order-7")
    assert run_task("report", key="order-7").pk == first.pk
    assert run_task("report", key="order-8").pk != first.pk


def test_the_same_key_at_the_same_moment_makes_one_instance(conn: Connection) -> None:
    from django.db import connection

    task = make_task(overlap="allow")

    def run() -> int:
        try:
            return run_task_now(task, key="once").pk
        finally:
            connection.close()

    assert len(set(at_once(*[run] * 6))) == 1
    assert TaskInstance.objects.count() == 1


def test_params_are_laid_over_those_of_the_task_for_this_run_only(conn: Connection) -> None:
    task = make_task(params={"command": "echo hello", "cwd": "/"}, overlap="allow")
    own = run_task(task.name, {"command": "echo bye"})
    plain = run_task(task.name)
    assert own.params == {"command": "echo bye", "cwd": "/"}
    assert plain.params is None


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"params": {"commnad": "x"}}, "params"),
        ({"at": datetime(2030, 1, 1)}, "at"),  # noqa: DTZ001 - the missing zone is the point
        ({"at": datetime(9999, 12, 31, tzinfo=UTC)}, "at"),
        ({"key": ""}, "key"),
        ({"key": "x" * 201}, "key"),
    ],
)
def test_bad_input_is_refused_by_field_and_nothing_is_queued(
    conn: Connection, arguments: dict[str, Any], field: str
) -> None:
    task = make_task()
    with pytest.raises(ValidationError) as refused:
        run_task(task.name, **arguments)
    assert list(refused.value.message_dict) == [field]
    assert not TaskInstance.objects.exists()


def test_an_unknown_task_is_named(conn: Connection) -> None:
    with pytest.raises(UnknownTask, match="“no such task”"):
        run_task("no such task")


def test_a_run_far_ahead_gets_its_partition_even_inside_a_transaction(conn: Connection) -> None:
    task = make_task()
    moment = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
    with transaction.atomic():
        instance = run_task(task.name, at=moment)
    assert instance.scheduled_for == moment
    assert instance.state == "waiting"


def test_run_again_makes_a_new_instance_that_points_to_the_old_one(conn: Connection) -> None:
    task = make_task(overlap="allow")
    first = run_task_now(task, params={"command": "echo special"})
    with pytest.raises(ValidationError, match="has not ended"):
        rerun_instance(first)
    (claimed,) = claimed_by(conn, make_registration(conn))
    complete(conn, [report_of(claimed)])
    again = rerun_instance(TaskInstance.objects.get(pk=first.pk))
    assert (again.rerun_of, again.origin, again.params) == (first.pk, "rerun", first.params)
    assert TaskInstance.objects.get(pk=first.pk).outcome == "succeeded"


def test_a_manual_run_obeys_the_overlap_rule_too(conn: Connection) -> None:
    task = make_task()
    run_task_now(task)
    second = run_task_now(task)
    second.refresh_from_db()
    assert (second.outcome, second.reason) == ("skipped", "overlap")


def test_a_run_planned_for_later_does_not_take_room_before_its_moment(conn: Connection) -> None:
    task = make_task()
    run_task_now(task, at=database_now(conn) + timedelta(hours=1))
    now = run_task_now(task)
    assert TaskInstance.objects.with_entry().get(pk=now.pk).state == "ready"
