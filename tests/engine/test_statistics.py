"""Statistics equal the history: whatever ended is counted once, whoever folds, and whenever."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from psycopg import sql

from scheduling.db import Connection, own_connection
from scheduling.domain.states import InstanceState, Origin
from scheduling.engine.admit_waiting import admit_waiting
from scheduling.engine.backfill import advance_backfills
from scheduling.engine.cancel import cancel
from scheduling.engine.enqueue import enqueue
from scheduling.engine.fire import Tick, fire
from scheduling.engine.fold_statistics import STATISTICS_LOCK, fold_statistics, has_deltas
from scheduling.engine.partitions import bounds_of, create_ahead
from scheduling.engine.promote import promote
from scheduling.engine.rebuild_statistics import rebuild_statistics
from scheduling.engine.vacuum import late_tables, vacuum_tables
from scheduling.models import Backfill, QueueEntry, Task, TaskInstance
from scheduling.runtime.loop import SchedulerLoop
from scheduling.runtime.upkeep import upkeep_maintainers
from tests.architecture.sources import APPS, ROOT, name_of
from tests.engine.work import claimed_by, ready, report_of
from tests.factories import make_registration, make_task
from tests.support.days import days_ago
from tests.support.threads import in_background
from tests.support.waiting import wait_until
from workers.domain.states import ExecutionState
from workers.engine.complete import complete
from workers.engine.reap import reap

#: The same numbers, counted from the history. In the hours, task 0 is a whole namespace.
_HISTORY = """
SELECT coalesce(task_id, 0), date_trunc({grain}, finished_at, 'UTC'), namespace_id, outcome,
    CASE WHEN started_at IS NULL THEN -1
         WHEN finished_at - started_at < interval '1 ms' THEN 0
         ELSE floor(log(2, 1000 * extract(epoch FROM finished_at - started_at)))::int + 1 END,
    count(*), coalesce(sum(finished_at - started_at), interval '0'),
    coalesce(sum(started_at - CASE WHEN origin = 'schedule' THEN scheduled_for
        ELSE greatest(scheduled_for, created_at) END), interval '0')
FROM rota_instance WHERE outcome IS NOT NULL
GROUP BY GROUPING SETS ((task_id, 2, 3, 4, 5) {and_namespaces}) ORDER BY 1, 2, 3, 4, 5
"""


def hours(conn: Connection) -> list[Any]:
    """What the statistics say, by hour."""
    return conn.execute(
        "SELECT task_id, hour, namespace_id, outcome, bucket, count, lasted, waited FROM rota_stat_hour "
        "ORDER BY 1, 2, 3, 4, 5"
    ).fetchall()


def days(conn: Connection) -> list[Any]:
    """What the statistics say, by day."""
    return conn.execute(
        "SELECT task_id, day, namespace_id, outcome, bucket, count, lasted, waited FROM rota_stat_day "
        "ORDER BY 1, 2, 3, 4, 5"
    ).fetchall()


def history(conn: Connection, grain: str) -> list[Any]:
    """What the history says."""
    statement = sql.SQL(_HISTORY).format(
        grain=sql.Literal(grain), and_namespaces=sql.SQL(", (2, 3, 4, 5)" if grain == "hour" else "")
    )
    return conn.execute(statement).fetchall()


def fold_all(conn: Connection) -> None:
    """Fold until nothing is left."""
    while has_deltas(conn):
        fold_statistics(conn)


def assert_equal_to_history(conn: Connection) -> None:
    """Every number is the same."""
    assert hours(conn) == history(conn, "hour")
    assert days(conn) == history(conn, "day")


def tick_of(task: Task, at: datetime, *, runs: bool) -> Tick:
    """A tick that is due."""
    return Tick(task_id=task.pk, expect=at, next_run_at=None, fire_for=at, runs=runs)


def fire_one(conn: Connection, task: Task, at: datetime, *, runs: bool) -> None:
    """Let the clock of ``task`` show ``at``, and fire."""
    conn.execute("UPDATE rota_task_clock SET next_run_at = %s, dirty = false WHERE task_id = %s", [at, task.pk])
    assert fire(conn, [tick_of(task, at, runs=runs)]).task_ids == [task.pk]


@pytest.mark.parametrize("seed", range(3))
def test_after_any_work_the_statistics_equal_the_history(conn: Connection, seed: int) -> None:
    """Ticks, runs, retries, cancels, skips, losses and a backfill, while two schedulers fold."""
    chance = random.Random(seed)
    create_ahead(conn, now=datetime.now(UTC), days=1)
    tasks = [
        make_task(overlap="allow", max_attempts=3, enabled=True),
        make_task(overlap="skip", namespace="team-b"),
        make_task(overlap="queue_all", max_running=2),
        make_task(overlap="allow", on_worker_lost="fail"),
    ]
    start = datetime.now(UTC) - timedelta(hours=3)
    Backfill.objects.create(
        namespace_id=tasks[2].namespace_id,
        task=tasks[2],
        from_at=start,
        until_at=start + timedelta(minutes=9),
        ticks=[start + timedelta(minutes=minute) for minute in range(10)],
        total=10,
        max_parallel=3,
    )
    stop = Event()

    def folding() -> None:
        mine = own_connection("folding")
        while not stop.is_set():
            fold_statistics(mine, limit=7)
        mine.close()

    folders = [Thread(target=folding) for _ in range(2)]
    for folder in folders:
        folder.start()
    try:
        for number in range(60):
            task = chance.choice(tasks)
            match chance.choice(["fire", "fire", "skip", "run", "work", "work", "work", "cancel", "lose", "backfill"]):
                case "fire" | "skip" as what:
                    fire_one(conn, task, start + timedelta(seconds=number), runs=what == "fire")
                case "run":
                    enqueue(conn, task_id=task.pk, origin=Origin.CODE)
                case "work":
                    claims = claimed_by(conn, make_registration(conn), slots=chance.randint(1, 6))
                    complete(
                        conn,
                        [
                            report_of(
                                claimed,
                                state := chance.choice(list(set(ExecutionState) - {ExecutionState.RUNNING})),
                                retry_seconds=0.0
                                if state is ExecutionState.LOST
                                else chance.choice([None, 0.0])
                                if state in (ExecutionState.FAILED, ExecutionState.TIMED_OUT)
                                else None,
                            )
                            for claimed in claims
                        ],
                    )
                case "cancel":
                    live = list(QueueEntry.objects.values_list("instance_id", flat=True))
                    cancel(conn, chance.sample(live, min(2, len(live))), message="no more")
                case "lose":
                    node = make_registration(conn)
                    claimed_by(conn, node, slots=2)
                    reap(conn, incarnation=node.incarnation)
                case "backfill":
                    advance_backfills(conn)
            admit_waiting(conn)
            promote(conn)
        cancel(conn, list(QueueEntry.objects.values_list("instance_id", flat=True)), message="the end")
        for claimed in claimed_by(conn, make_registration(conn), slots=100):
            complete(conn, [report_of(claimed)])
    finally:
        stop.set()
        for folder in folders:
            folder.join()
    fold_all(conn)
    assert {row[3] for row in hours(conn)} == {"succeeded", "failed", "cancelled", "skipped"}
    assert TaskInstance.objects.exclude(outcome=None).count() == sum(row[5] for row in days(conn))
    assert_equal_to_history(conn)


def test_what_is_rolled_back_is_not_counted(conn: Connection) -> None:
    ready(conn)
    (claimed,) = claimed_by(conn, make_registration(conn))
    with conn.transaction(force_rollback=True):
        complete(conn, [report_of(claimed)])
        assert has_deltas(conn)
    assert not has_deltas(conn)


def test_while_one_scheduler_folds_another_does_not(conn: Connection) -> None:
    ready(conn)
    complete(conn, [report_of(claimed) for claimed in claimed_by(conn, make_registration(conn))])
    other = own_connection("folding")
    try:
        with other.transaction():
            other.execute("SELECT pg_advisory_xact_lock(%s)", [STATISTICS_LOCK])
            assert fold_statistics(conn) is None
        assert fold_statistics(conn) == 1
        assert fold_statistics(conn) == 0
    finally:
        other.close()


def test_rebuilding_from_the_history_gives_the_same_numbers_also_while_work_goes_on(conn: Connection) -> None:
    task = ready(conn, 40, max_attempts=2)
    node = make_registration(conn)
    lock, other = own_connection("lock"), own_connection("other")
    since = bounds_of(days_ago(2))[0]
    try:
        complete(conn, [report_of(claimed) for claimed in claimed_by(conn, node, slots=10)])
        fold_all(conn)
        complete(conn, [report_of(claimed) for claimed in claimed_by(conn, node, slots=10)])
        conn.execute("UPDATE rota_stat_hour SET count = 7, lasted = '1 day'")
        conn.execute("DELETE FROM rota_stat_day")
        assert rebuild_statistics(conn, lock, since=since) == 20
        assert_equal_to_history(conn)

        left = claimed_by(conn, node, slots=20)
        working = Thread(target=lambda: [complete(other, [report_of(claimed)]) for claimed in left])
        working.start()
        while working.is_alive():
            rebuild_statistics(conn, lock, since=since)
            fold_statistics(conn)
        working.join()
    finally:
        lock.close()
        other.close()
    fold_all(conn)
    assert TaskInstance.objects.filter(task=task.pk, outcome=InstanceState.SUCCEEDED.value).count() == 40
    assert_equal_to_history(conn)


def test_a_scheduler_folds_by_itself_and_beside_its_loop(conn: Connection) -> None:
    ready(conn, 3)
    complete(conn, [report_of(claimed) for claimed in claimed_by(conn, make_registration(conn), slots=3)])
    loop = SchedulerLoop(maintainers=upkeep_maintainers())
    try:

        def folded() -> bool:
            # Now and then: while the sums by task are made, which another turn begins beside it, folding waits.
            loop.turn()
            return not has_deltas(conn)

        wait_until(folded, what="the deltas are folded")
    finally:
        loop.close()
    assert_equal_to_history(conn)


def test_small_tables_with_many_dead_rows_are_found_and_cleaned(conn: Connection) -> None:
    ready(conn, 3)
    conn.execute("DELETE FROM rota_queue_entry")
    # A backend reports its counts when it is idle for a second or asked to.
    conn.execute("SELECT pg_stat_force_next_flush()")
    wait_until(lambda: "rota_queue_entry" in late_tables(conn, most_dead=2), what="the dead rows are counted")
    vacuum_tables(conn, ["rota_queue_entry"])
    assert "rota_queue_entry" not in late_tables(conn, most_dead=2)


def ending_files() -> list[Path]:
    """The SQL files that write outcomes."""
    files = [path for app in APPS for path in sorted((ROOT / app / "engine" / "sql").glob("*.sql"))]
    return [path for path in files if "finished_at = " in path.read_text() or "fire_key)" in path.read_text()]


@pytest.mark.unit
@pytest.mark.parametrize("name", ["complete.sql", "reap_history.sql", "end_unstarted.sql", "fire.sql", "pass_over.sql"])
def test_the_statements_that_end_instances_are_known(name: str) -> None:
    assert name in {path.name for path in ending_files()}


@pytest.mark.unit
@pytest.mark.parametrize("path", ending_files(), ids=name_of)
def test_a_statement_that_ends_an_instance_counts_it(path: Path) -> None:
    text = path.read_text()
    ends = "UPDATE rota_instance" in text or ("INSERT INTO rota_instance" in text and "outcome" in text)
    assert not ends or "INSERT INTO rota_stat_delta" in text


def test_a_rebuilding_that_takes_long_keeps_its_lock(conn: Connection) -> None:
    idle = "SELECT clock_timestamp() - state_change > '2 s' FROM pg_stat_activity WHERE pid = %s AND state ~ '^idle in'"
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with own_connection("lock") as lock, own_connection("rebuild") as rebuilding, own_connection("in the way") as other:
        lock.execute("SET idle_in_transaction_session_timeout = '1 s'")
        other.execute("BEGIN")
        other.execute("LOCK TABLE rota_stat_delta IN ACCESS EXCLUSIVE MODE")
        with in_background(
            lambda: rebuild_statistics(rebuilding, lock, since=today), stop=lambda: other.execute("END")
        ):
            pid = lock.info.backend_pid
            wait_until(lambda: conn.execute(idle, [pid]).fetchone() == (True,), what="the session is there, and idle")
        assert lock.execute("SELECT 1").fetchone() == (1,)
