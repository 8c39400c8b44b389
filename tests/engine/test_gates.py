"""Gates: what counts as the same work, by task or by concurrency key, whatever kind of run it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduling.db import Connection, database_now
from scheduling.domain.states import EntryState, Origin
from scheduling.engine.admit import admit
from scheduling.engine.admit_waiting import admit_freed, admit_waiting
from scheduling.engine.backfill import advance_backfills
from scheduling.engine.enqueue import enqueue
from scheduling.engine.fire import Tick, fire
from scheduling.engine.promote import promote
from scheduling.models import Backfill, QueueEntry, Task, TaskClock, TaskInstance
from tests.engine.work import claimed_by, gates_of, queue, report_of, state_of, states
from tests.factories import make_namespace, make_registration, make_task
from workers.domain.states import ExecutionState
from workers.engine.check import check
from workers.engine.complete import complete
from workers.engine.reap import reap


@pytest.mark.parametrize(
    ("template", "params", "expected"),
    [
        ("all", {}, "all"),
        ("customer-{customer_id}", {"customer_id": 42}, "customer-42"),
        ("{a.b}/{c}", {"a": {"b": "x"}, "c": "y"}, "x/y"),
        ("{missing}-{a.b}", {"a": 1}, "-"),
        ("{list.1}!", {"list": [1, 2]}, "2!"),
        ("{yes}", {"yes": True}, "true"),
        ("a {open", {"open": 1}, "a open"),
        ("{}", {"": "nothing"}, ""),
    ],
)
def test_a_concurrency_key_is_rendered_from_the_params(
    conn: Connection, template: str, params: dict[str, object], expected: str
) -> None:
    import json

    row = conn.execute("SELECT rota_rendered(%s, %s::jsonb)", [template, json.dumps(params)]).fetchone()
    assert row == (expected,)


def test_only_a_task_that_nothing_limits_has_no_gate(conn: Connection) -> None:
    free, skip, most, keyed = (
        make_task(overlap="allow"),
        make_task(),
        make_task(overlap="allow", max_running=1),
        make_task(overlap="allow", concurrency_key="k"),
    )
    for task in (free, skip, most, keyed):
        queue(conn, task)
    gates = dict(QueueEntry.objects.values_list("task_id", "gate"))
    assert (gates[free.pk], gates[skip.pk], gates[most.pk]) == (None, skip.pk, most.pk)
    assert (gates[keyed.pk] or 0) < 0


def test_tasks_that_render_the_same_text_share_a_gate_and_others_do_not(conn: Connection) -> None:
    one = make_task(overlap="queue_all", concurrency_key="customer-{customer}", params={"customer": 1})
    two = make_task(overlap="queue_all", concurrency_key="customer-1")
    other_customer = make_task(overlap="queue_all", concurrency_key="customer-{customer}", params={"customer": 2})
    other_namespace = make_task(overlap="queue_all", concurrency_key="customer-1", namespace=make_namespace("b"))
    tasks = (one, two, other_customer, other_namespace)
    for task in tasks:
        queue(conn, task)
    admit(conn, gates_of(*tasks))
    assert [states(task) for task in tasks] == [{"ready": 1}, {"waiting": 1}, {"ready": 1}, {"ready": 1}]


def test_the_params_of_the_instance_decide_and_not_those_of_the_task(conn: Connection) -> None:
    task = make_task(overlap="queue_all", concurrency_key="{customer}", params={"customer": 1})
    first, second, third = (
        *queue(conn, task, params={"customer": 1}),
        *queue(conn, task, params={"customer": 2}),
        *queue(conn, task),
    )
    admit(conn, gates_of(task))
    assert [state_of(one) for one in (first, second, third)] == ["ready", "ready", "waiting"]


def test_at_a_shared_gate_each_task_looks_at_its_own_limit_and_nobody_overtakes(conn: Connection) -> None:
    strict = make_task(overlap="queue_all", concurrency_key="k")
    wide = make_task(overlap="allow", max_running=3, concurrency_key="k")
    queue(conn, wide, 2)
    queue(conn, strict)
    queue(conn, wide)
    admit(conn, gates_of(strict))
    assert (states(wide), states(strict)) == ({"ready": 2, "waiting": 1}, {"waiting": 1})
    assert check(conn) == []


def test_one_that_is_skipped_at_a_shared_gate_does_not_hold_up_the_one_behind_it(conn: Connection) -> None:
    strict = make_task(overlap="skip", concurrency_key="k")
    wide = make_task(overlap="skip", max_running=2, concurrency_key="k")
    queue(conn, wide)
    queue(conn, strict)
    queue(conn, wide)
    admit(conn, gates_of(strict))
    assert (states(wide), states(strict)) == ({"ready": 2}, {"skipped": 1})


def fired(conn: Connection, task: Task) -> None:
    """One run by the task's own trigger."""
    moment = database_now(conn)
    TaskClock.objects.filter(task=task).update(next_run_at=moment, dirty=False)
    assert fire(conn, [Tick(task_id=task.pk, expect=moment, next_run_at=None, fire_for=moment)]).gates == {task.pk}


def planned(conn: Connection, task: Task) -> None:
    """One run that was planned for a moment that has come."""
    (made,) = queue(conn, task, scheduled_for=database_now(conn) + timedelta(hours=1))
    conn.execute("UPDATE rota_queue_entry SET run_at = clock_timestamp() WHERE instance_id = %s", [made])
    assert promote(conn).gates == {task.pk}


def backfilled(conn: Connection, task: Task) -> None:
    """One run of a past tick."""
    moment = database_now(conn) - timedelta(days=1)
    Backfill.objects.create(
        namespace_id=task.namespace_id,
        task=task,
        from_at=moment,
        until_at=moment,
        overlap="allow",
        max_parallel=10,
        ticks=[moment],
        total=1,
        state="running",
    )
    assert advance_backfills(conn).gates == {task.pk}


def rerun(conn: Connection, task: Task) -> None:
    """One run again."""
    assert enqueue(conn, task_id=task.pk, origin=Origin.RERUN, rerun_of=1) is not None


def by_hand(conn: Connection, task: Task) -> None:
    """One run on request."""
    queue(conn, task)


@pytest.mark.parametrize("newcomer", [fired, planned, backfilled, rerun, by_hand])
@pytest.mark.parametrize("limit", [1, 2])
def test_every_kind_of_run_waits_for_the_same_room(conn: Connection, newcomer: object, limit: int) -> None:
    task = make_task(overlap="queue_all", max_running=limit, trigger="interval", every_seconds=3600)
    queue(conn, task, limit)
    admit(conn, [task.pk])
    assert callable(newcomer)
    newcomer(conn, task)
    admit(conn, [task.pk])
    assert states(task) == {"ready": limit, "waiting": 1}
    first, *_ = claimed_by(conn, make_registration(conn))
    done = complete(conn, [report_of(first)])
    assert admit_freed(conn, done.gates).ready == 1
    assert states(task) == {"ready": limit, "succeeded": 1}


def test_a_retry_keeps_its_place_and_a_lost_one_does_too(conn: Connection) -> None:
    task = make_task(overlap="queue_all", max_attempts=2)
    queue(conn, task, 2)
    admit(conn, [task.pk])
    node = make_registration(conn)
    (claimed,) = claimed_by(conn, node)
    done = complete(conn, [report_of(claimed, ExecutionState.FAILED, retry_seconds=0.0)])
    assert done.gates == set()
    admit(conn, [task.pk])
    assert QueueEntry.objects.get(instance=claimed.instance_id).state == EntryState.DELAYED
    assert states(task) == {"waiting": 2}
    promote(conn)
    (again,) = claimed_by(conn, node)
    assert again.instance_id == claimed.instance_id
    assert reap(conn, incarnation=node.incarnation).gates == set()
    admit(conn, [task.pk])
    assert states(task) == {"ready": 1, "waiting": 1}


def test_a_lower_priority_is_overtaken_only_by_what_is_at_most_so_much_younger(conn: Connection) -> None:
    gate = {"overlap": "queue_all", "max_running": 1, "concurrency_key": "k"}
    low, high = make_task(priority=0, **gate), make_task(priority=2, **gate)
    now = database_now(conn)
    (old,) = queue(conn, low)
    (within,) = queue(conn, high)
    (beyond,) = queue(conn, high)
    # 2 × 30 s is what two steps of priority are worth.
    for instance_id, age in ((old, 100), (within, 100 - 59), (beyond, 100 - 61)):
        conn.execute(
            "UPDATE rota_queue_entry SET run_at = %(at)s, sort_key = sort_key - run_at + %(at)s"
            " WHERE instance_id = %(id)s",
            {"at": now - timedelta(seconds=age), "id": instance_id},
        )
    node, order = make_registration(conn), []
    for _ in range(3):
        admit(conn, gates_of(low, high))
        (claimed,) = claimed_by(conn, node)
        order.append(claimed.instance_id)
        complete(conn, [report_of(claimed)])
    assert order == [within, old, beyond]


def test_a_raised_limit_is_found_by_the_sweep_and_a_full_gate_is_left_alone(conn: Connection) -> None:
    task = make_task(overlap="queue_all")
    queue(conn, task, 3)
    admit(conn, [task.pk])
    assert admit_waiting(conn).ready == 0
    Task.objects.filter(pk=task.pk).update(max_running=2)
    assert admit_waiting(conn).ready == 1
    Task.objects.filter(pk=task.pk).update(max_running=1)
    assert check(conn) == [], "lowering a limit breaks no promise about what was admitted before"


def test_the_check_sees_a_limit_that_was_exceeded(conn: Connection) -> None:
    task = make_task(overlap="queue_all", max_running=2)
    queue(conn, task, 3)
    conn.execute("UPDATE rota_queue_entry SET state = 0")
    assert [broken.promise for broken in check(conn)] == ["limits hold"]
    assert TaskInstance.objects.count() == 3
