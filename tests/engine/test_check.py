"""checkqueue: what breaks a promise is found, and put right where only one thing can be right."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from scheduling.db import Connection, database_now
from scheduling.domain.states import Reason
from scheduling.engine.partitions import create_partitions, days_of
from scheduling.models import QueueEntry, TaskClock, TaskInstance
from scheduling.runtime.loop import SchedulerLoop
from tests.engine.work import one_claim, ready, report_of
from tests.factories import make_task
from tests.support.waiting import wait_until
from workers.engine.check import PROMISES, Broken, check, word_of
from workers.engine.complete import complete
from workers.engine.note_check import LOOK_IS_DUE, note_check
from workers.engine.repair import FIXES, repair
from workers.models import Execution, PromiseCheck
from workers.runtime.maintainers import worker_maintainers

Break = Callable[[Connection], Any]


def checkqueue(*args: str) -> tuple[int, Any]:
    """Run the command; return its exit code and what it says in JSON."""
    out, code = StringIO(), 0
    try:
        call_command("checkqueue", *args, "--json", stdout=out)
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, json.loads(out.getvalue())


def no_entry(conn: Connection) -> None:
    """An unfinished instance that is not in the queue."""
    ready(conn)
    conn.execute("DELETE FROM rota_queue_entry")


def no_instance(conn: Connection) -> None:
    """An entry without its instance, and a running execution under it."""
    one_claim(conn)
    conn.execute("DELETE FROM rota_instance")


def ended_instance(conn: Connection) -> None:
    """An entry whose instance has ended."""
    ready(conn)
    conn.execute("UPDATE rota_instance SET outcome = 'skipped', finished_at = clock_timestamp()")


def no_lease(conn: Connection) -> None:
    """A running execution that nobody holds."""
    one_claim(conn)
    conn.execute("UPDATE rota_queue_entry SET state = 0, lease_id = NULL, holder = NULL")


def no_execution(conn: Connection) -> None:
    """A lease without its execution."""
    one_claim(conn)
    conn.execute("DELETE FROM rota_execution")


def no_clock(conn: Connection) -> None:
    """A task that would never fire again."""
    make_task(trigger="cron", cron_expression="* * * * *")
    conn.execute("DELETE FROM rota_task_clock")


FIXABLE = [
    (no_entry, "every unfinished instance is in the queue"),
    (no_instance, "everything in the queue is an unfinished instance"),
    (ended_instance, "everything in the queue is an unfinished instance"),
    (no_lease, "every running execution holds its instance's lease"),
    (no_execution, "every lease belongs to a running execution"),
    (no_clock, "every task has a clock"),
]


@pytest.mark.parametrize(("break_it", "promise"), FIXABLE, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_broken_is_found_and_repaired(conn: Connection, break_it: Break, promise: str) -> None:
    break_it(conn)
    assert promise in {row.promise for row in check(conn)}

    code, said = checkqueue("--repair", "--dry-run")
    assert (code, said["kept"]) == (1, False)
    assert promise in {one["promise"] for one in said["repairs"] if one["done"]}
    assert promise in {row.promise for row in check(conn)}, "a dry run changes nothing"

    code, said = checkqueue("--repair")
    assert (code, said["broken"]) == (0, [])
    assert word_of(promise) in {one["word"] for one in said["repairs"]}
    assert check(conn) == []


def test_an_instance_that_was_left_behind_fails_with_a_reason(conn: Connection) -> None:
    no_entry(conn)
    checkqueue("--repair")
    instance = TaskInstance.objects.get()
    assert (instance.outcome, instance.reason) == ("failed", Reason.REPAIRED)
    assert "checkqueue ended it" in instance.message


def test_a_lease_without_its_execution_is_given_back_unless_the_work_must_not_be_repeated(conn: Connection) -> None:
    no_execution(conn)
    checkqueue("--repair")
    assert QueueEntry.objects.get().state == 0
    conn.execute("TRUNCATE rota_queue_entry, rota_instance")
    one_claim(conn, on_worker_lost="fail")
    conn.execute("DELETE FROM rota_execution")
    checkqueue("--repair")
    assert (TaskInstance.objects.get().outcome, QueueEntry.objects.exists()) == ("failed", False)


def test_a_task_without_a_clock_is_planned_anew(conn: Connection) -> None:
    no_clock(conn)
    checkqueue("--repair")
    loop = SchedulerLoop()
    loop.turn()
    loop.close()
    next_run = TaskClock.objects.get().next_run_at
    assert next_run is not None
    assert next_run > database_now(conn) - timedelta(seconds=60)


def test_what_might_be_right_in_two_ways_is_left_alone(conn: Connection) -> None:
    claimed = one_claim(conn)
    complete(conn, [report_of(claimed)])
    conn.execute("UPDATE rota_instance SET outcome = NULL, finished_at = NULL")
    code, said = checkqueue("--repair")
    assert code == 1
    assert [(one["done"], one["what"]) for one in said["repairs"]] == [
        (False, "left alone: one of its executions succeeded or runs")
    ]
    assert TaskInstance.objects.get().outcome is None
    conn.execute("DELETE FROM rota_instance")
    conn.execute("DELETE FROM rota_execution")


def test_work_under_way_is_not_touched_by_a_repair(conn: Connection) -> None:
    one_claim(conn)
    ready(conn)
    before = list(QueueEntry.objects.order_by("pk").values())
    code, said = checkqueue("--repair")
    assert (code, said["repairs"]) == (0, [])
    assert list(QueueEntry.objects.order_by("pk").values()) == before
    assert Execution.objects.get().state == "running"


@pytest.mark.parametrize("promise", FIXES)
def test_what_is_right_again_by_the_time_of_the_repair_is_left_alone(conn: Connection, promise: str) -> None:
    claimed = one_claim(conn)
    ready(conn)
    rows: list[Any] = [QueueEntry, TaskInstance, Execution, TaskClock]
    before = [list(model.objects.order_by("pk").values()) for model in rows]
    suspects = {claimed.instance_id, claimed.lease_id, *TaskInstance.objects.values_list("pk", flat=True)}
    suspects |= set(TaskClock.objects.values_list("pk", flat=True))
    assert repair(conn, [Broken(promise, suspect, "") for suspect in suspects]) == []
    assert [list(model.objects.order_by("pk").values()) for model in rows] == before


def test_the_history_is_looked_at_as_far_back_as_asked(conn: Connection) -> None:
    old = database_now(conn) - timedelta(days=30)
    create_partitions(conn, days_of([old]))
    task = make_task()
    conn.execute(
        "INSERT INTO rota_instance (id, scheduled_for, namespace_id, task_id, task_version)"
        " VALUES (nextval('rota_instance_id_seq'), %s, %s, %s, 1)",
        [old, task.namespace_id, task.pk],
    )
    assert checkqueue()[0] == 0
    code, said = checkqueue("--all")
    assert (code, said["since"], len(said["broken"])) == (1, None, 1)
    assert checkqueue("--days", "40")[0] == 1
    conn.execute("DELETE FROM rota_instance")


def test_the_command_says_what_it_looked_at_and_refuses_what_makes_no_sense(conn: Connection) -> None:
    out = StringIO()
    call_command("checkqueue", stdout=out)
    assert "Looked at the whole queue and the history since" in out.getvalue()
    assert f"{len(PROMISES)} promises kept." in out.getvalue()
    with pytest.raises(CommandError, match="--dry-run goes with --repair"):
        call_command("checkqueue", "--dry-run")


def test_every_promise_has_a_word_of_its_own_for_machines() -> None:
    words = {word_of(promise) for promise in PROMISES}
    assert len(words) == len(PROMISES)
    assert "every_running_execution_holds_its_instance_lease" in words


def test_a_scheduler_looks_at_the_promises_and_notes_what_it_found(conn: Connection) -> None:
    no_entry(conn)
    loop = SchedulerLoop(maintainers=worker_maintainers())
    try:

        def is_noted() -> bool:
            loop.turn()
            return PromiseCheck.objects.filter(checked_at__isnull=False).exists()

        wait_until(is_noted, seconds=30, what="a chore has looked")
    finally:
        loop.close()
    (noted,) = PromiseCheck.objects.all()
    assert noted.broken == {
        word_of(each): int(each == "every unfinished instance is in the queue") for each in PROMISES
    }


def test_of_several_schedulers_one_looks_and_a_long_look_is_rarer(conn: Connection) -> None:
    assert note_check(conn)
    assert not note_check(conn)
    for lasted, ago, is_due in ((1, 59, False), (1, 61, True), (10, 190, False), (10, 210, True)):
        conn.execute(
            "UPDATE rota_promise_check SET lasted = make_interval(secs => %s),"
            " begun_at = clock_timestamp() - make_interval(secs => %s)",
            [lasted, ago],
        )
        assert conn.execute(f"SELECT {LOOK_IS_DUE}".encode()).fetchone() == (is_due,)
        assert note_check(conn) is is_due


def test_each_entry_of_the_queue_is_looked_up_and_the_history_is_not_read(conn: Connection) -> None:
    for promise in ("everything in the queue is an unfinished instance", "every lease belongs to a running execution"):
        with conn.transaction():
            # The other way is what the planner takes with few entries and a long history.
            conn.execute("SET LOCAL enable_nestloop = off")
            plan = conn.execute(f"EXPLAIN {PROMISES[promise]}".encode()).fetchall()
        assert "Nested Loop" in str(plan)
