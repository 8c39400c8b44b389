"""What is cut, killed or lost in the middle of firing and completing neither loses a tick nor repeats one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Thread

import psycopg
import pytest

from scheduling.conf import SchedulingConf
from scheduling.db import Connection, database_now, own_connection
from scheduling.engine.partitions import create_ahead
from scheduling.ledger import read_ledger
from scheduling.models import QueueEntry, Task, TaskClock, TaskInstance
from scheduling.runtime.loop import SchedulerLoop
from scheduling.runtime.surroundings import Surroundings
from scheduling.services import run_task_now
from tests.engine.work import claimed_by, one_claim, report_of
from tests.factories import make_registration, make_task
from tests.support.proxy import connection_through, losing_proxy
from tests.support.waiting import wait_until
from workers.engine.complete import complete
from workers.models import Execution

TENTH = timedelta(milliseconds=100)
#: Starts a loop; what it returns ends it.
Run = Callable[[SchedulerLoop], Callable[[], None]]


@pytest.fixture
def run(conn: Connection) -> Iterator[Run]:
    """Run loops in threads, which are ended after the test."""
    create_ahead(conn, now=database_now(conn), days=1)
    running: list[Callable[[], None]] = []

    def start(loop: SchedulerLoop) -> Callable[[], None]:
        thread = Thread(target=loop.run)
        thread.start()

        def end() -> None:
            loop.stop()
            thread.join()

        running.append(end)
        return end

    yield start
    for end in running:
        end()


def every_tenth() -> Task:
    return make_task(trigger="interval", every_seconds=0.1, overlap="allow")


def has_fired(task: Task, after: datetime) -> bool:
    return TaskInstance.objects.filter(task=task, scheduled_for__gt=after).exists()


def assert_each_tick_once(task: Task, begun: datetime, until: datetime) -> None:
    lines = read_ledger(task, from_at=begun, until_at=until).lines
    assert len(lines) > 5
    assert {line.entry.state.value for line in lines} <= {"ran", "late"}
    assert {later.entry.at - earlier.entry.at for earlier, later in pairwise(lines)} == {TENTH}
    made = TaskInstance.objects.filter(task=task, scheduled_for__lte=until).values_list("id", flat=True)
    queued = QueueEntry.objects.filter(task=task, scheduled_for__lte=until).values_list("instance_id", flat=True)
    assert set(made) == set(queued), "each has its entry"


def test_a_scheduler_whose_backend_is_killed_inside_a_firing_neither_loses_nor_repeats_a_tick(
    conn: Connection, run: Run
) -> None:
    task = every_tenth()
    run(SchedulerLoop())
    wait_until(lambda: TaskInstance.objects.filter(task=task).exists())
    begun, blocker = database_now(conn), own_connection("test")
    # A chore that waits for the lock is in the way of the firing, and goes as well.
    waiting = (
        "SELECT query LIKE '/* fire */%', pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'rota scheduler' AND datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(3):
        with blocker.transaction():
            # The clock is moved and the instance made; the entry has to wait, in the middle of the statement.
            blocker.execute("LOCK TABLE rota_queue_entry IN EXCLUSIVE MODE")
            wait_until(lambda: any(row[0] for row in conn.execute(waiting).fetchall()), what="a firing is killed")
        after = database_now(conn)
        wait_until(lambda moment=after: has_fired(task, moment))  # type: ignore[misc] # mypy knows no such default
    blocker.close()
    assert_each_tick_once(task, begun, after)


def test_a_scheduler_that_dies_between_its_reading_and_its_firing_leaves_its_ticks_to_the_others(
    conn: Connection, run: Run
) -> None:
    create_ahead(conn, now=database_now(conn), days=1)
    dying, task = SchedulerLoop(), every_tenth()
    wait_until(lambda: dying.turn() >= 0 and TaskInstance.objects.filter(task=task).exists())
    begun = database_now(conn)
    # It has read what comes next, and would fire that with its next turn.
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name ~ '^rota (scheduler|notif)' AND datname = current_database()"
    )
    after = database_now(conn)
    run(SchedulerLoop())
    wait_until(lambda: has_fired(task, after + 10 * TENTH))
    assert_each_tick_once(task, begun, after + 10 * TENTH)
    dying.close()


def test_a_firing_whose_answer_is_lost_after_the_commit_is_not_repeated(conn: Connection, run: Run) -> None:
    task = every_tenth()
    with losing_proxy(conn) as proxy:
        end = run(SchedulerLoop(surroundings=Surroundings(connect=lambda: connection_through(proxy))))
        wait_until(lambda: TaskInstance.objects.filter(task=task).exists())
        begun = database_now(conn)
        for count in (1, 2, 3):
            proxy.lose_answer_to(b"/* fire */", b"COMMIT")
            wait_until(lambda wanted=count: proxy.lost == wanted, what="an answer is lost")  # type: ignore[misc] # as above
            after = database_now(conn)
            wait_until(lambda moment=after: has_fired(task, moment))  # type: ignore[misc] # as above
        end()
    assert_each_tick_once(task, begun, after)


def test_a_report_whose_answer_is_lost_after_the_commit_can_be_sent_again_and_changes_nothing(
    conn: Connection,
) -> None:
    report = report_of(one_claim(conn))
    with losing_proxy(conn) as proxy:
        through = connection_through(proxy, "worker")
        proxy.lose_answer_to(b"/* complete */")
        with pytest.raises(psycopg.OperationalError):
            complete(through, [report])
        assert proxy.lost == 1
        through.close()
    ended = TaskInstance.objects.get(pk=report.instance_id)
    assert ended.outcome == "succeeded"
    again = complete(conn, [report])
    assert (again.accepted, again.stale) == ({}, [report.lease_id])
    assert TaskInstance.objects.get(pk=report.instance_id).finished_at == ended.finished_at
    assert Execution.objects.get(instance=report.instance_id).state == "succeeded"


def test_a_scheduler_that_hears_nothing_finds_new_tasks_edits_and_planned_runs_by_itself(conn: Connection) -> None:
    # Turned by hand, it never listens.
    loop = SchedulerLoop(settings=SchedulingConf(HORIZON_SECONDS=0.2))
    loop.turn()
    task = every_tenth()
    wait_until(lambda: loop.turn() is not None and TaskInstance.objects.filter(task=task).exists(), what="a new task")
    Task.objects.filter(pk=task.pk).update(every_seconds=86400)
    wait_until(lambda: loop.turn() is not None and not TaskClock.objects.get(task=task).dirty, what="an edit")
    planned = run_task_now(task, at=database_now(conn) + timedelta(seconds=0.3))
    wait_until(lambda: loop.turn() is not None and QueueEntry.objects.get(instance=planned.pk).state == 0)
    loop.close()


def test_room_that_nobody_was_told_of_is_given_away_by_the_sweep(conn: Connection) -> None:
    loop = SchedulerLoop(settings=SchedulingConf(MAINTENANCE_SECONDS=0.1))
    task = make_task(overlap="queue_all")
    first, second = run_task_now(task), run_task_now(task)
    (claimed,) = claimed_by(conn, make_registration(conn))
    assert (claimed.instance_id, QueueEntry.objects.get(pk=second.pk).state) == (first.pk, 2)
    # Whoever completes it dies before it admits the next one.
    complete(conn, [report_of(claimed)])
    assert QueueEntry.objects.get(pk=second.pk).state == 2
    wait_until(lambda: loop.turn() is not None and QueueEntry.objects.get(pk=second.pk).state == 0)
    loop.close()
