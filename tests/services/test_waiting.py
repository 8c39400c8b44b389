"""Why is it waiting? Each gate says truly whether it is passed, and names those that hold it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from scheduling.db import Connection
from scheduling.models import Calendar, Pool, QueueEntry, Task, TaskInstance
from scheduling.services import run_task_now
from scheduling.waiting import Gate, next_attempt_at, reasons_for_waiting, waiting_words
from tests.engine.work import claimed_by, report_of
from tests.factories import make_namespace, make_registration, make_task
from workers.domain.states import ExecutionState
from workers.engine.claim import Claimed
from workers.engine.complete import complete


def run(task: Task, **over: Any) -> TaskInstance:
    """A new instance, admitted as far as its limits allow."""
    made = run_task_now(task, **over)
    return TaskInstance.objects.with_entry().get(pk=made.pk)


def read_anew(instance: TaskInstance) -> TaskInstance:
    """The instance as a page reads it that is opened now."""
    return TaskInstance.objects.with_entry().get(pk=instance.pk)


def gates(instance: TaskInstance) -> dict[str, Gate]:
    """The gates of an instance, by word."""
    return {gate.word.value: gate for gate in reasons_for_waiting(read_anew(instance))}


def shut(instance: TaskInstance) -> list[str]:
    """The words of the gates that are not passed."""
    return [gate.word.value for gate in reasons_for_waiting(read_anew(instance)) if not gate.passed]


def word(instance: TaskInstance) -> str | None:
    """The word in a list."""
    found = waiting_words([read_anew(instance)])
    return found[instance.pk].value if instance.pk in found else None


def claimed(conn: Connection, **over: Any) -> Claimed:
    (claim,) = claimed_by(conn, make_registration(conn, **over))
    return claim


def test_what_nothing_holds_waits_for_no_gate(conn: Connection) -> None:
    make_registration(conn)
    ready = run(make_task(overlap="allow"))
    assert shut(ready) == []
    assert list(gates(ready)) == ["time", "worker"]
    assert word(ready) is None


def test_a_planned_run_waits_for_its_time(conn: Connection) -> None:
    make_registration(conn)
    at = timezone.now() + timedelta(hours=1)
    planned = run(make_task(overlap="allow"), at=at)
    assert shut(planned) == ["time"]
    assert gates(planned)["time"].opens_at == at
    assert word(planned) == "time"


def test_a_retry_says_which_attempt_comes_and_when(conn: Connection) -> None:
    run(make_task(max_attempts=3))
    claim = claimed(conn)
    complete(conn, [report_of(claim, ExecutionState.FAILED, retry_seconds=600.0)])
    delayed = TaskInstance.objects.with_entry().get(pk=claim.instance_id)
    retry, at = gates(delayed)["retry"], delayed.queue_entry.run_at
    assert shut(delayed) == ["retry"]
    assert retry.sentence.startswith("Attempt 1 of 3 failed: ")
    assert retry.sentence.endswith(f" Next at {at:%Y-%m-%d %H:%M:%S} UTC.")
    assert retry.opens_at == next_attempt_at(delayed) == delayed.queue_entry.run_at
    assert gates(delayed)["overlap"].passed, "it keeps its place"
    assert word(delayed) == "retry"


def test_a_moment_names_its_zone_and_which_of_two_such_hours_it_is(conn: Connection) -> None:
    # Clocks are put back on the last Sunday of October.
    last = date(timezone.now().year + 1, 10, 31)
    day = last - timedelta(days=last.isoweekday() % 7)
    at = datetime(day.year, day.month, day.day, 1, 30, tzinfo=UTC)
    planned = run(make_task(overlap="allow"), at=at)
    with timezone.override("Europe/Berlin"):
        assert gates(planned)["time"].sentence == f"It is planned for {day} 02:30:00 CET, Europe/Berlin."


def test_overlap_names_the_earlier_instance_and_who_waits_before(conn: Connection) -> None:
    make_registration(conn)
    task = make_task(name="report", overlap="queue_all")
    first, second, third = run(task), run(task), run(task)
    gate = gates(third)["overlap"]
    assert not gate.passed
    assert gate.sentence == "An earlier instance of the task “report” is unfinished. 1 waits before it."
    assert [(each.instance_id, each.task, each.state.value) for each in gate.holders] == [
        (first.pk, "report", "ready"),
        (second.pk, "report", "waiting"),
    ]
    assert shut(third) == ["overlap"]
    assert word(third) == "overlap"
    assert shut(first) == []


def test_a_limit_counts_all_tasks_that_share_the_key(conn: Connection) -> None:
    make_registration(conn)
    rules = {"overlap": "allow", "max_running": 2, "concurrency_key": "customer-{env.CUSTOMER}"}
    params = {"command": "true", "env": {"CUSTOMER": "7"}}
    bill, mail = (make_task(name=name, params=params, **rules) for name in ("bill", "mail"))
    run(bill), run(mail)
    other = run(mail, params={"env": {"CUSTOMER": "8"}})
    held = run(mail)
    gate = gates(held)["limit"]
    assert gate.sentence == "2 of at most 2 instances of the key “customer-7” are under way."
    assert [each.task for each in gate.holders] == ["bill", "mail"]
    assert (shut(held), word(held)) == (["limit"], "limit")
    assert shut(other) == []


def test_a_pool_shows_its_use_and_names_the_holders(conn: Connection) -> None:
    make_registration(conn)
    pool = Pool.objects.create(namespace=make_namespace(), name="database", slots=3)
    heavy = make_task(name="heavy", overlap="allow", pool=pool, pool_weight=2)
    light = make_task(name="light", overlap="allow", pool=pool)
    first, second, third = run(heavy), run(heavy), run(light)
    gate = gates(second)["pool"]
    assert gate.sentence == "2 of 3 slots of the pool “database” are used; it takes 2."
    assert [each.instance_id for each in gate.holders] == [first.pk]
    assert gate.pool_id == pool.pk
    assert gates(third)["pool"].sentence.endswith("it takes 1. 1 waits before it.")
    assert [shut(each) for each in (first, second, third)] == [[], ["pool"], ["pool"]]
    assert (word(second), word(third)) == ("pool", "pool")

    Pool.objects.filter(pk=pool.pk).update(slots=0)
    assert "has no slots" in gates(second)["pool"].sentence


def test_a_queue_that_no_live_node_serves_is_counted_and_named(conn: Connection) -> None:
    stranded = run(make_task(overlap="allow", queue="gpu"))
    assert gates(stranded)["worker"].sentence == "No node is alive; start a worker: manage.py runworker."
    for queues in (["default"], ["other"]):
        make_registration(conn, queues=queues)
    gate = gates(stranded)["worker"]
    assert gate.sentence == "0 of 2 live nodes serve the queue gpu with the handler shell."
    assert (shut(stranded), word(stranded)) == (["worker"], "worker")

    make_registration(conn, name="gpu-1", queues=["gpu"], slots=1)
    assert gates(stranded)["worker"].sentence.startswith("1 of 3 live nodes")
    assert (shut(stranded), word(stranded)) == ([], None)

    conn.execute("UPDATE rota_node SET busy = 1 WHERE name = 'gpu-1'")
    assert gates(stranded)["worker"].sentence.endswith("Its slot is busy.")
    conn.execute("UPDATE rota_node SET last_seen_at = last_seen_at - interval '1 hour' WHERE name = 'gpu-1'")
    assert gates(stranded)["worker"].sentence.startswith("0 of 2 live nodes"), "a lost node serves nothing"


def test_what_runs_or_has_ended_waits_for_nothing(conn: Connection) -> None:
    run(make_task())
    claim = claimed(conn)
    running = TaskInstance.objects.with_entry().get(pk=claim.instance_id)
    assert (reasons_for_waiting(running), word(running), next_attempt_at(running)) == ([], None, None)
    complete(conn, [report_of(claim)])
    ended = TaskInstance.objects.with_entry().get(pk=claim.instance_id)
    assert (reasons_for_waiting(ended), word(ended)) == ([], None)


def test_the_words_of_a_page_cost_the_same_however_long_it_is(
    conn: Connection, django_assert_max_num_queries: Any
) -> None:
    make_registration(conn)
    pool = Pool.objects.create(namespace=make_namespace(), name="database", slots=1)
    for number in range(6):
        task = make_task(overlap="queue_all" if number % 2 else "allow", pool=None if number % 2 else pool)
        for _ in range(3):
            run(task)
    assert QueueEntry.objects.count() == 18
    page = list(TaskInstance.objects.with_entry())
    connection.ensure_connection()
    with django_assert_max_num_queries(5):
        words = waiting_words(page)
    assert sorted(each.value for each in words.values()) == ["overlap"] * 6 + ["pool"] * 8


def test_calendars_are_named_with_what_they_had_to_say_about_it(conn: Connection) -> None:
    make_registration(conn)
    task = make_task(overlap="allow", trigger="cron", cron_expression="* * * * *")
    task.calendars.add(Calendar.objects.create(namespace=task.namespace, name="working days"))
    asked_for = run(task)
    assert list(gates(asked_for)) == ["time", "calendar", "worker"]
    assert gates(asked_for)["calendar"].passed
    assert "not about a run on request. The task uses: working days." in gates(asked_for)["calendar"].sentence
    TaskInstance.objects.filter(pk=asked_for.pk).update(origin="schedule")
    assert gates(asked_for)["calendar"].sentence == (
        "Calendars are asked when a tick fires; this one was let through. The task uses: working days."
    )
