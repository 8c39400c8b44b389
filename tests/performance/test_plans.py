"""The statements of the hot path find their way by the intended index, whatever the statistics say."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from config.benchmarks.work import enqueue_many
from scheduling.db import Connection, database_now, own_connection
from scheduling.engine.fire import Tick, fire
from scheduling.engine.partitions import create_partitions, days_of, partition_name
from scheduling.kept_plans import keeping_connection
from scheduling.models import Task, TaskClock
from tests.factories import make_registration, make_task
from tests.support.waiting import wait_until
from workers.domain.states import ExecutionState
from workers.engine.claim import Claimed, claim
from workers.engine.complete import Report, complete
from workers.engine.nodes import Registration


def take(conn: Connection, node: Registration, slots: int) -> list[Claimed]:
    return claim(
        conn,
        node_id=node.node_id,
        incarnation=node.incarnation,
        queues=["default"],
        handlers=["shell", "python", "http", "sql"],
        slots=slots,
    )


def reports(claims: list[Claimed]) -> list[Report]:
    return [
        Report(
            instance_id=each.instance_id,
            lease_id=each.lease_id,
            scheduled_for=each.scheduled_for,
            state=ExecutionState.SUCCEEDED,
            reason="completed",
        )
        for each in claims
    ]


def counted(conn: Connection, statement: str) -> tuple[int, ...]:
    """The numbers of one row; what this session has counted and not handed over yet, so only differences say much."""
    row = conn.execute(statement.encode()).fetchone()
    assert row is not None
    return tuple(int(number) for number in row)


WHOLE_READS = "SELECT pg_stat_get_xact_numscans('rota_queue_entry'::regclass)"
#: By anybody, as far as it was handed over; tests have a database of their own.
ALL_WHOLE_READS = "SELECT pg_stat_get_numscans('rota_queue_entry'::regclass)"
HAND_OVER = "SELECT pg_stat_force_next_flush()"
READ = """
SELECT sum(pg_stat_get_xact_numscans(oid)) FILTER (WHERE relkind = 'r'),
    sum(pg_stat_get_xact_tuples_returned(oid)) FILTER (WHERE relkind = 'i')
FROM pg_class WHERE relkind IN ('r', 'i') AND relname ~ '^rota_(queue|(instance|execution)_p)'
"""
UPDATES = """
SELECT sum(pg_stat_get_xact_tuples_hot_updated(oid)), sum(pg_stat_get_xact_tuples_updated(oid))
FROM pg_class WHERE relkind = 'r' AND starts_with(relname, 'rota_instance_p')
"""


def test_a_claim_takes_exactly_as_many_as_asked_although_the_statistics_say_one(conn: Connection) -> None:
    task, node = make_task(overlap="allow"), make_registration(conn)
    conn.execute("ALTER TABLE rota_queue_entry SET (autovacuum_enabled = off)")
    try:
        enqueue_many(conn, task, 1)
        enqueue_many(conn, task, 100, analyze=False)
        assert len(take(conn, node, 5)) == 5
    finally:
        conn.execute("ALTER TABLE rota_queue_entry RESET (autovacuum_enabled)")


def test_a_plan_from_an_empty_queue_does_not_read_the_whole_backlog(conn: Connection) -> None:
    task, node = make_task(overlap="allow"), make_registration(conn)
    conn.execute("ANALYZE rota_queue_entry")
    for _ in range(8):
        assert take(conn, node, 1) == []
    enqueue_many(conn, task, 5_000, analyze=False)
    with conn.transaction():
        (before,) = counted(conn, WHOLE_READS)
        assert len(take(conn, node, 10)) == 10
        (after,) = counted(conn, WHOLE_READS)
    assert after == before


def test_a_plan_that_is_kept_from_an_empty_queue_does_not_read_the_whole_backlog_either(conn: Connection) -> None:
    task, node = make_task(overlap="allow"), make_registration(conn)
    conn.execute("ANALYZE rota_queue_entry")
    keeping = keeping_connection("test")
    try:
        for _ in range(8):
            assert take(keeping, node, 1) == []
        enqueue_many(conn, task, 5_000, analyze=False)
        with keeping.transaction():
            (before,) = counted(keeping, WHOLE_READS)
            assert len(take(keeping, node, 10)) == 10
            (after,) = counted(keeping, WHOLE_READS)
        kept = (
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%%execution_id_seq%%'"
        )
        assert counted(keeping, kept) == (9, 0), "the plan was kept"
    finally:
        keeping.close()
    assert after == before


def test_firing_keeps_a_plan_that_does_not_read_all_of_the_queue(conn: Connection) -> None:
    tasks = [make_task(trigger="interval", every_seconds=60) for _ in range(30)]
    conn.execute("VACUUM ANALYZE rota_task, rota_task_clock, rota_queue_entry")
    keeping = own_connection("test", prepares=True)
    try:
        for number, task in enumerate(tasks):
            due = database_now(conn) - timedelta(seconds=1)
            TaskClock.objects.filter(task=task).update(next_run_at=due, dirty=False)
            if number == 10:
                enqueue_many(conn, make_task(overlap="allow"), 5_000, analyze=False)
                conn.execute(HAND_OVER)
            before = counted(keeping, ALL_WHOLE_READS)
            ticks = [Tick(task_id=task.pk, expect=due, next_run_at=None, fire_for=due)]
            assert fire(keeping, ticks).task_ids == [task.pk]
            keeping.execute(HAND_OVER)
            assert counted(keeping, ALL_WHOLE_READS) == before
    finally:
        keeping.close()


def test_reports_keep_a_plan_that_looks_up_each_row_however_much_there_is(conn: Connection) -> None:
    task, node = make_task(overlap="allow"), make_registration(conn)
    today = database_now(conn)
    names = [partition_name(table, *days_of([today])) for table in ("rota_instance", "rota_execution")]
    of_nothing = Report(instance_id=1, lease_id=1, scheduled_for=today, state=ExecutionState.SUCCEEDED, reason="")
    keeping = keeping_connection("test")
    try:
        conn.execute(f"ANALYZE rota_queue_entry, {', '.join(names)}")
        for _ in range(3):
            assert complete(keeping, [of_nothing]).stale == [1]
        enqueue_many(conn, task, 3_000, analyze=False)
        claims = take(conn, node, 2_000)
        keeping.execute(HAND_OVER)
        with keeping.transaction():
            before = counted(keeping, READ)
            assert len(complete(keeping, reports(claims[500:520])).accepted) == 20
            after = counted(keeping, READ)
        kept = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '/* complete */%%'"
        assert counted(keeping, kept) == (4, 0), "the plan was kept"
    finally:
        keeping.close()
    whole, by_index = (now - then for now, then in zip(after, before, strict=True))
    assert whole == 0
    # Two of an entry, one of each other, and what these were before they were claimed.
    assert by_index <= 20 * 8


@pytest.mark.parametrize("connection", [own_connection, keeping_connection])
def test_reports_open_only_the_partition_of_their_day(
    conn: Connection, connection: Callable[[str], Connection]
) -> None:
    now = database_now(conn)
    create_partitions(conn, days_of(now - timedelta(days=day) for day in range(40)))
    task, node = make_task(overlap="allow"), make_registration(conn)
    enqueue_many(conn, task, 50)
    claims = take(conn, node, 50)
    conn = connection("test")
    locked = "SELECT relation::regclass::text FROM pg_locks WHERE pid = pg_backend_pid() AND relation IS NOT NULL"
    with conn.transaction():
        assert len(complete(conn, reports(claims)).accepted) == 50
        names = {row[0] for row in conn.execute(locked).fetchall()}
    conn.close()
    for table in ("rota_instance", "rota_execution"):
        parts = {name for name in names if re.fullmatch(rf"{table}_p\d{{8}}", name)}
        assert len(parts) == 1, parts


_ATTEMPTS = """
INSERT INTO rota_execution (id, scheduled_for, namespace_id, instance_id, task_id, attempt, node_id, state, started_at,
    finished_at)
SELECT nextval('rota_execution_id_seq'), %(at)s, 1, n, 1, 1, CASE WHEN n = 15000 THEN 77 ELSE n %% 20 END, 'succeeded',
    %(at)s, %(at)s
FROM generate_series(1, 40000) n
"""


def test_the_executions_of_a_node_that_ran_few_are_found_without_reading_all(conn: Connection) -> None:
    now = database_now(conn)
    create_partitions(conn, days_of([now]))
    conn.execute(_ATTEMPTS, {"at": now})
    conn.execute("VACUUM ANALYZE rota_execution")
    read = """
    SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid)) FROM pg_class
    WHERE relkind = 'r' AND starts_with(relname, 'rota_execution_p')
    """
    for node, most in ((77, 6000), (78, 3000)):
        with conn.transaction():
            (before,) = counted(conn, read)
            found = conn.execute("SELECT count(*) FROM rota_execution WHERE node_id = %s::int", [node]).fetchone()
            (after,) = counted(conn, read)
        assert found == ((1,) if node == 77 else (0,))
        assert after - before < most


def test_ending_an_instance_rewrites_no_index_and_makes_no_multixact(conn: Connection) -> None:
    task, node = make_task(overlap="allow"), make_registration(conn)
    # Other tests use the same server, and may make some meanwhile; ours would make some each time.
    wait_until(lambda: _work_makes_no_multixact(conn, task, node), seconds=60, what="a stretch of work without one")


def _work_makes_no_multixact(conn: Connection, task: Task, node: Registration) -> bool:
    conn.execute("CHECKPOINT")
    before = conn.execute("SELECT next_multixact_id FROM pg_control_checkpoint()").fetchone()
    hot = updated = 0
    for _ in range(10):
        enqueue_many(conn, task, 200)
        claims = take(conn, node, 200)
        with conn.transaction():
            hot_before, updated_before = counted(conn, UPDATES)
            complete(conn, reports(claims))
            hot_after, updated_after = counted(conn, UPDATES)
        hot, updated = hot + hot_after - hot_before, updated + updated_after - updated_before
    assert updated == 2000
    assert hot / updated > 0.6
    conn.execute("CHECKPOINT")
    return bool(conn.execute("SELECT next_multixact_id FROM pg_control_checkpoint()").fetchone() == before)
