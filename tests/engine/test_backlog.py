"""A long row behind one gate or pool costs nothing extra: what is looked at has a bound, and is found by index."""

from __future__ import annotations

from pathlib import Path

import pytest

import scheduling.engine
from scheduling.db import Connection, sql_file
from scheduling.engine.admission_lock import lock_gates
from scheduling.engine.admit import admit
from scheduling.engine.admit_waiting import admit_waiting
from scheduling.models import Pool, Task
from tests.engine.work import states
from tests.factories import make_namespace, make_task

SQL = Path(scheduling.engine.__file__).parent / "sql"
BACKLOG = 20_000
BY_INDEX = {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}

_FILL = """
INSERT INTO rota_queue_entry (instance_id, scheduled_for, namespace_id, task_id, task_version, queue, handler, state,
    sort_key, run_at, gate, pool_id)
SELECT nextval('rota_instance_id_seq'), now(), %(namespace_id)s, %(task_id)s, 1, 'default', 'shell', %(state)s,
    now() + n * interval '1 ms', now(), %(task_id)s, %(pool_id)s
FROM generate_series(1, %(count)s) n
"""


def backlog(conn: Connection, task: Task, *, state: int = 2, count: int = BACKLOG) -> None:
    """A long row of waiting entries, without their history, which admission does not read."""
    params = {"namespace_id": task.namespace_id, "task_id": task.pk, "pool_id": task.pool_id}
    conn.execute(_FILL, {**params, "state": state, "count": count})


def rows_read(conn: Connection, name: str, params: dict[str, object]) -> dict[str, int]:
    """How many rows of the queue each node of the statement's plan read at most, by the way it read them."""
    with conn.transaction(force_rollback=True):
        lock_gates(conn, [1])
        explained = conn.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + sql_file(SQL / f"{name}.sql"), params).fetchone()
    assert explained is not None
    read: dict[str, int] = {}
    plans = [explained[0][0]["Plan"]]
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", [])
        if plan.get("Relation Name") == "rota_queue_entry" and "Scan" in plan["Node Type"]:
            rows = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
            read[plan["Node Type"]] = max(read.get(plan["Node Type"], 0), int(rows))
    return read


@pytest.mark.parametrize("analysed", [False, True])
def test_admission_reads_a_bounded_part_of_the_row_and_by_index(conn: Connection, analysed: bool) -> None:
    task = make_task(overlap="queue_all", max_running=5)
    if analysed:
        backlog(conn, task)
    conn.execute("ANALYZE rota_queue_entry")
    if not analysed:
        # The planner takes the queue for empty.
        backlog(conn, task)
    read = rows_read(conn, "admit", {"gates": [task.pk]})
    assert set(read) <= BY_INDEX, read
    assert max(read.values()) <= 1000
    assert admit(conn, [task.pk]).ready == 5
    assert "Seq Scan" not in rows_read(conn, "waiting_gates", {})
    assert admit_waiting(conn).ready == 0


def test_the_sweep_probes_once_for_each_gate_however_much_waits_there(conn: Connection) -> None:
    tasks = [make_task(overlap="queue_all") for _ in range(5)]
    for task in tasks:
        backlog(conn, task, count=4000)
    conn.execute("ANALYZE rota_queue_entry")
    read = rows_read(conn, "waiting_gates", {})
    assert set(read) <= BY_INDEX, read
    assert max(read.values()) <= 10
    assert admit_waiting(conn).ready == 5


def test_a_pool_with_a_long_row_reads_what_it_has_room_for(conn: Connection) -> None:
    pool = Pool.objects.create(namespace=make_namespace(), name="p", slots=7)
    task = make_task(overlap="allow", pool=pool)
    backlog(conn, task, state=5)
    conn.execute("ANALYZE rota_queue_entry")
    read = rows_read(conn, "admit_to_pools", {"pool_ids": [pool.pk]})
    assert set(read) <= BY_INDEX, read
    assert max(read.values()) <= 8
    assert admit(conn, [], [pool.pk]).ready == 7


@pytest.mark.parametrize(("overlap", "left"), [("skip", 1), ("queue_one", 2), ("cancel_running", 1), ("allow", 1500)])
def test_a_row_longer_than_one_look_is_decided_to_its_end(conn: Connection, overlap: str, left: int) -> None:
    task = make_task(overlap=overlap, concurrency_key="k")
    backlog(conn, task, count=1500)
    admit(conn, [task.pk])
    row = conn.execute("SELECT count(*) FROM rota_queue_entry").fetchone()
    assert row == (left,)
    assert states(task) == {}, "these entries have no history"
