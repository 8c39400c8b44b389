"""What the loops cost the database: when nothing happens, and when a backlog came that no statistics know of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scheduling.conf import conf
from scheduling.db import Connection, own_connection, sql_file
from scheduling.engine.vacuum import late_tables, vacuum_tables
from scheduling.kept_plans import by_index
from scheduling.runtime.loop import SchedulerLoop
from scheduling.runtime.maintainer import that_are_needed
from scheduling.runtime.registry import Registry
from scheduling.runtime.upkeep import upkeep_maintainers
from tests.engine.work import ready
from tests.factories import make_registration, make_task
from tests.support.waiting import wait_until
from workers.engine import claim
from workers.runtime.maintainers import worker_maintainers

#: By how many pages a claim of a few may touch: its index, its rows, and what it writes.
PAGES = 300

_BACKLOG = """
INSERT INTO rota_queue_entry (instance_id, scheduled_for, namespace_id, task_id, task_version, queue, handler, state,
    sort_key, run_at, lease_id, holder)
SELECT 1000000 + n, clock_timestamp(), %(namespace)s, %(task)s, 1, 'default', 'shell', %(state)s,
    clock_timestamp() - make_interval(secs => n), clock_timestamp(), nullif(%(state)s, 0) * n, nullif(%(state)s, 0)
FROM generate_series(1, 30000) n
"""


def statements(conn: Connection, path: Path, work: Callable[[], object]) -> int:
    """How often ``work`` asks the server for something, transactions included, by what goes over the wire."""
    with path.open("w+") as trace:
        conn.pgconn.trace(trace.fileno())
        try:
            work()
        finally:
            conn.pgconn.untrace()
        trace.seek(0)
        # A statement's own text may go over several lines.
        sent = [fields[3].strip() for line in trace if (fields := line.split("\t"))[1:2] == ["F"]]
    return sum(kind in {"Query", "Sync"} for kind in sent)


def test_a_scheduler_with_nothing_to_do_asks_once_a_second_at_most(conn: Connection, tmp_path: Path) -> None:
    for _ in range(3):
        make_task(trigger="cron", cron_expression="0 0 1 1 *")
    chores = [*upkeep_maintainers(), *worker_maintainers()]
    loop = SchedulerLoop(maintainers=chores, registry=Registry())
    own = own_connection("test")
    loop._conn = own

    def is_clean() -> bool:
        vacuum_tables(conn, late_tables(conn))
        return not late_tables(conn)

    wait_until(is_clean, what="what other tests have left is cleaned up")
    try:
        while loop.turn() < 1.0:
            pass
        rate = 0.0
        for chore in loop._maintainers:
            if chore.needed is None:
                asked = statements(own, tmp_path / "trace", lambda chore=chore: chore.run(own))  # type: ignore[misc] # bound at once
                rate += asked / chore.every_seconds
        # One question for those that can be asked together.
        probed = [chore for chore in loop._maintainers if chore.needed is not None]
        assert that_are_needed(own, probed) == []
        rate += 1 / min(chore.every_seconds for chore in probed)
        loop._ahead.forget()
        loop._due_at = {name: at + 3600 for name, at in loop._due_at.items()}
        rate += statements(own, tmp_path / "trace", loop.turn) / (conf().HORIZON_SECONDS * 2 / 3)
    finally:
        loop.close()
    assert rate <= 1.0


@pytest.mark.parametrize("before", ["nothing", "only leases"])
def test_a_claim_reads_the_head_of_a_backlog_that_no_statistics_know_of(conn: Connection, before: str) -> None:
    conn.execute("ALTER TABLE rota_queue_entry SET (autovacuum_enabled = off)")
    # Rows that another test has deleted may still be in front of these, and the first who comes by reads them all.
    conn.execute("TRUNCATE rota_queue_entry")
    try:
        task = ready(conn)
        values = {"namespace": task.namespace_id, "task": task.pk}
        if before == "only leases":
            conn.execute(_BACKLOG, {**values, "state": 1})
        conn.execute("DELETE FROM rota_queue_entry WHERE state = 0")
        conn.execute("ANALYZE rota_queue_entry")
        conn.execute("DELETE FROM rota_queue_entry")
        conn.execute(_BACKLOG, {**values, "state": 0})
        node = make_registration(conn)
        asked = {
            "node_id": node.node_id,
            "incarnation": node.incarnation,
            "since": None,
            "since_id": 0,
            "queues": ["default", "default"],
            "handlers": ["shell", "http"],
            "slots": 5,
        }
        touched, plan = pages_touched(conn, asked)
        assert touched < PAGES, plan
        # What was taken from the head and has ended stays in the index until the next vacuum.
        conn.execute("UPDATE rota_queue_entry SET sort_key = '2020-01-01 00:00Z'")
        conn.execute("DELETE FROM rota_queue_entry WHERE instance_id < 1027000")
        further = {**asked, "since": datetime(2020, 1, 1, tzinfo=UTC), "since_id": 1_027_000}
        touched, plan = pages_touched(conn, further)
        assert touched < PAGES, plan
        touched, plan = pages_touched(conn, asked)
        assert touched > PAGES, plan
    finally:
        conn.execute("ALTER TABLE rota_queue_entry RESET (autovacuum_enabled)")


def test_a_queue_that_is_full_of_dead_rows_is_cleaned_soon(conn: Connection) -> None:
    task = ready(conn)
    cleaned = "SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'rota_queue_entry'"
    before = conn.execute(cleaned).fetchone()
    conn.execute(_BACKLOG, {"namespace": task.namespace_id, "task": task.pk, "state": 0})
    conn.execute("DELETE FROM rota_queue_entry")
    # A backend reports its counts when it is idle for a second or asked to.
    conn.execute("SELECT pg_stat_force_next_flush()")
    loop = SchedulerLoop(maintainers=upkeep_maintainers())
    try:

        def is_cleaned() -> bool:
            loop.turn()
            return conn.execute(cleaned).fetchone() != before

        wait_until(is_cleaned, seconds=60, what="a chore has cleaned it")
    finally:
        loop.close()


def pages_touched(conn: Connection, asked: Mapping[str, object]) -> tuple[int, str]:
    """Claim, take that back, and return how many pages were looked at, with the plan."""
    with conn.transaction(force_rollback=True), by_index(conn):
        explain = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql_file(claim._CLAIM)
        row = conn.execute(explain, asked).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    assert plan["Actual Rows"] == 5
    touched: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return touched, json.dumps(plan)
