"""fire: a tick starts at most one instance."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from scheduling.db import Connection, database_now, own_connection
from scheduling.engine.admission_lock import lock_gates
from scheduling.engine.fire import Fired, Tick, fire
from scheduling.models import Pool, QueueEntry, Task, TaskClock, TaskInstance
from tests.factories import make_namespace, make_task
from tests.support.threads import at_once
from tests.support.waiting import WAITING_FOR_A_LOCK, wait_until


def due_task(conn: Connection, *, ago: float = 1.0, **over: object) -> tuple[Task, datetime]:
    """A task whose clock shows a tick that is due."""
    task = make_task(trigger="interval", every_seconds=60, **over)
    due = database_now(conn) - timedelta(seconds=ago)
    TaskClock.objects.filter(task=task).update(next_run_at=due, dirty=False)
    return task, due


def tick(task: Task, due: datetime, **over: object) -> Tick:
    fields: dict[str, object] = {
        "task_id": task.pk,
        "expect": due,
        "next_run_at": due + timedelta(minutes=1),
        "fire_for": due,
    }
    return Tick(**{**fields, **over})  # type: ignore[arg-type] # a test's shorthand


def test_a_due_tick_becomes_one_instance_and_one_entry_and_moves_the_clock(conn: Connection) -> None:
    task, due = due_task(conn, overlap="allow", priority=2, queue="q")
    fired = fire(conn, [tick(task, due)])
    assert (fired.task_ids, fired.instances, fired.queues, fired.gates) == ([task.pk], 1, {"q"}, set())
    instance = TaskInstance.objects.get(task=task)
    entry = QueueEntry.objects.get(instance=instance.pk)
    assert (instance.scheduled_for, instance.state, instance.origin) == (due, "ready", "schedule")
    assert entry.sort_key == due - timedelta(seconds=60)
    clock = TaskClock.objects.get(task=task)
    assert (clock.next_run_at, clock.last_fired_for) == (due + timedelta(minutes=1), due)


def test_the_same_tick_cannot_be_fired_twice(conn: Connection) -> None:
    task, due = due_task(conn)
    fire(conn, [tick(task, due)])
    assert fire(conn, [tick(task, due)]).task_ids == []
    TaskClock.objects.filter(task=task).update(next_run_at=due)
    again = fire(conn, [tick(task, due)])
    assert (again.task_ids, again.instances) == ([task.pk], 0), "a clock that is turned back makes no second instance"
    assert TaskInstance.objects.filter(task=task).count() == 1


def test_of_several_schedulers_at_once_exactly_one_fires_each_tick(conn: Connection) -> None:
    ticks = [tick(*due_task(conn)) for _ in range(20)]
    others = [own_connection("test") for _ in range(4)]
    try:
        answers: list[Fired] = at_once(*(lambda c=c: fire(c, ticks) for c in others))
    finally:
        for other in others:
            other.close()
    won = sorted(task_id for answer in answers for task_id in answer.task_ids)
    assert won == sorted(t.task_id for t in ticks)
    assert TaskInstance.objects.count() == 20


def test_nothing_fires_before_its_time_on_the_databases_clock(conn: Connection) -> None:
    task, due = due_task(conn, ago=-60)
    assert fire(conn, [tick(task, due)]).task_ids == []
    assert TaskClock.objects.get(task=task).next_run_at == due


def test_a_tick_that_shall_not_run_is_a_row_that_says_why(conn: Connection) -> None:
    task, due = due_task(conn)
    fire(conn, [tick(task, due, runs=False, missed_count=7, missed_since=due, message="7 missed")])
    instance = TaskInstance.objects.get(task=task)
    assert (instance.state, instance.reason, instance.message) == ("skipped", "misfire", "7 missed")
    assert (instance.missed_count, instance.missed_since) == (7, due)
    assert not QueueEntry.objects.exists()


def test_an_edited_schedule_does_not_fire_until_it_is_planned_anew(conn: Connection) -> None:
    task, due = due_task(conn)
    Task.objects.filter(pk=task.pk).update(every_seconds=30)
    assert fire(conn, [tick(task, due)]).task_ids == []


def test_a_paused_task_does_not_fire(conn: Connection) -> None:
    task, due = due_task(conn)
    Task.objects.filter(pk=task.pk).update(enabled=False)
    assert fire(conn, [tick(task, due)]).task_ids == []
    assert TaskClock.objects.get(task=task).held_at == due


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "queue_all"])
def test_a_limited_task_is_ready_at_once_when_nobody_is_at_its_gate_and_waits_otherwise(
    conn: Connection, overlap: str
) -> None:
    task, due = due_task(conn, overlap=overlap)
    fired = fire(conn, [tick(task, due)])
    assert (fired.gates, fired.queues) == (set(), {"default"})
    assert QueueEntry.objects.get().state == 0
    later = due + timedelta(milliseconds=1)
    TaskClock.objects.filter(task=task).update(next_run_at=later)
    fired = fire(conn, [tick(task, later)])
    assert (fired.gates, fired.queues) == ({task.pk}, set())
    assert sorted(QueueEntry.objects.values_list("state", flat=True)) == [0, 2]


@pytest.mark.parametrize("limit", ["pool", "concurrency key"])
def test_a_gate_that_others_share_is_left_to_admission(conn: Connection, limit: str) -> None:
    if limit == "pool":
        pool = Pool.objects.create(namespace=make_namespace(), name="narrow", slots=1)
        task, due = due_task(conn, overlap="allow", pool=pool)
    else:
        task, due = due_task(conn, concurrency_key="all of us")
    assert len(fire(conn, [tick(task, due)]).gates) == 1
    assert QueueEntry.objects.get().state == 2


def test_firing_waits_for_whoever_admits_at_the_same_gate(conn: Connection) -> None:
    task, due = due_task(conn)
    other = own_connection("test admission")
    with ThreadPoolExecutor(1) as pool:
        with other.transaction():
            lock_gates(other, [task.pk])
            firing = pool.submit(fire, conn, [tick(task, due)])
            wait_until(lambda: other.execute(WAITING_FOR_A_LOCK).fetchone() == (1,), what="fire waits for the gate")
            # Somebody else's run passes admission meanwhile.
            other.execute(
                "INSERT INTO rota_queue_entry (instance_id, scheduled_for, namespace_id, task_id, task_version, queue,"
                " handler, state, sort_key, run_at, gate) VALUES (-1, %s, 1, %s, 1, 'default', 'shell', 0, %s, %s, %s)",
                [due, task.pk, due, due, task.pk],
            )
        assert firing.result().gates == {task.pk}
    other.close()
    QueueEntry.objects.filter(instance_id=-1).delete()


def test_a_day_without_a_partition_gets_one(conn: Connection) -> None:
    task = make_task(trigger="interval", every_seconds=60)
    due = datetime(2001, 2, 3, 4, 5, tzinfo=UTC)
    TaskClock.objects.filter(task=task).update(next_run_at=due, dirty=False)
    assert fire(conn, [tick(task, due)]).instances == 1
    conn.execute("DROP TABLE rota_instance_p20010203, rota_execution_p20010203, rota_log_chunk_p20010203")


def test_unlike_ticks_of_one_batch_keep_what_is_their_own(conn: Connection) -> None:
    plain, due = due_task(conn, overlap="allow")
    jittered, jittered_due = due_task(conn, ago=2, overlap="allow")
    missed, missed_due = due_task(conn, ago=3, overlap="allow")
    last, last_due = due_task(conn, ago=4, overlap="allow")
    run_at = database_now(conn) + timedelta(minutes=5)
    latest = missed_due + timedelta(seconds=1)
    message = 'Said "so", with a \\ and {braces}.'
    fired = fire(
        conn,
        [
            tick(plain, due),
            tick(jittered, jittered_due, run_at=run_at),
            tick(
                missed,
                missed_due,
                fire_for=latest,
                runs=False,
                missed_count=2,
                missed_since=missed_due,
                message=message,
            ),
            tick(last, last_due, next_run_at=None),
        ],
    )
    assert sorted(fired.task_ids) == [plain.pk, jittered.pk, missed.pk, last.pk]
    assert (fired.instances, fired.next_promotion) == (4, run_at)
    told = {
        instance.task_id: (instance.scheduled_for, instance.reason, instance.missed_count, instance.missed_since)
        for instance in TaskInstance.objects.all()
    }
    assert told == {
        plain.pk: (due, "", None, None),
        jittered.pk: (jittered_due, "", None, None),
        missed.pk: (latest, "misfire", 2, missed_due),
        last.pk: (last_due, "", None, None),
    }
    assert TaskInstance.objects.get(task=missed).message == message
    runs = dict(QueueEntry.objects.values_list("task_id", "run_at"))
    assert runs == {plain.pk: due, jittered.pk: run_at, last.pk: last_due}
    nexts = dict(TaskClock.objects.values_list("task_id", "next_run_at"))
    assert nexts[last.pk] is None
    assert nexts[plain.pk] == due + timedelta(minutes=1)


def test_what_is_done_meanwhile_happens_once_also_when_a_partition_is_missing(conn: Connection) -> None:
    task, _ = due_task(conn)
    due = database_now(conn) - timedelta(days=700)
    TaskClock.objects.filter(task=task).update(next_run_at=due)
    done: list[str] = []
    fired = fire(conn, [tick(task, due)], meanwhile=lambda: done.append("once"))
    assert (fired.task_ids, done) == ([task.pk], ["once"])


def test_when_what_is_done_meanwhile_fails_the_ticks_are_fired_all_the_same(conn: Connection) -> None:
    task, due = due_task(conn)

    def fail() -> None:
        raise LookupError("no plan")

    with pytest.raises(LookupError, match="no plan"):
        fire(conn, [tick(task, due)], meanwhile=fail)
    assert TaskInstance.objects.count() == 1
    assert fire(conn, [tick(task, due)]).task_ids == [], "and the connection is as good as before"


def test_nothing_stays_locked_for_what_is_done_meanwhile(conn: Connection) -> None:
    task, due = due_task(conn)
    other = own_connection("test")

    def look() -> None:
        wait_until(lambda: TaskInstance.objects.exists(), what="the firing is committed")
        with other.transaction():
            lock_gates(other, [task.pk])

    try:
        assert fire(conn, [tick(task, due)], meanwhile=look).task_ids == [task.pk]
    finally:
        other.close()


def test_after_an_error_nothing_was_fired_and_the_connection_is_as_good_as_before(conn: Connection) -> None:
    task, due = due_task(conn)
    with pytest.raises(psycopg.errors.StringDataRightTruncation):
        fire(conn, [tick(task, due, runs=False, reason=_Word("x" * 60))])
    assert not TaskInstance.objects.exists()
    assert fire(conn, [tick(task, due)]).task_ids == [task.pk]


class _Word:
    """What is no reason that there is."""

    def __init__(self, value: str) -> None:
        self.value = value
