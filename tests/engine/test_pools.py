"""Pools: tasks share so many slots, each instance takes its weight, and nobody jumps the row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from scheduling.conf import conf
from scheduling.db import Connection, database_now
from scheduling.domain.states import EntryState
from scheduling.engine.admit import admit
from scheduling.engine.admit_waiting import admit_freed, admit_waiting
from scheduling.engine.cancel import cancel
from scheduling.engine.promote import promote
from scheduling.models import Pool, QueueEntry, Task
from scheduling.runtime.loop import SchedulerLoop
from tests.engine.work import claimed_by, gates_of, queue, report_of, state_of, states
from tests.factories import make_namespace, make_registration, make_task
from tests.support.threads import in_background
from tests.support.waiting import wait_until
from workers.domain.states import ExecutionState
from workers.engine.check import check
from workers.engine.complete import complete


def make_pool(slots: int) -> Pool:
    """A pool of so many slots."""
    return Pool.objects.create(namespace=make_namespace(), name=f"pool-{Pool.objects.count()}", slots=slots)


@pytest.mark.parametrize(
    ("slots", "weights", "ready"),
    [
        (3, [1, 1, 1, 1], 3),
        (3, [2, 2, 1], 1),  # the second does not fit, and the light one does not overtake it
        (4, [1, 3, 1], 2),
        (2, [5, 1], 1),  # heavier than the whole pool: it takes all of it
        (0, [1], 0),
    ],
)
def test_so_many_get_ready_as_fit_in_order(conn: Connection, slots: int, weights: list[int], ready: int) -> None:
    pool = make_pool(slots)
    tasks = [make_task(overlap="allow", pool=pool, pool_weight=weight) for weight in weights]
    made = [queue(conn, task)[0] for task in tasks]
    admit(conn, gates_of(*tasks))
    assert [state_of(one) for one in made] == ["ready"] * ready + ["waiting"] * (len(made) - ready)
    assert check(conn) == []


def test_an_instance_gives_its_slots_back_when_it_ends_and_not_between_attempts(conn: Connection) -> None:
    pool = make_pool(2)
    heavy = make_task(overlap="allow", pool=pool, pool_weight=2, max_attempts=2)
    light = make_task(overlap="allow", pool=pool)
    queue(conn, heavy)
    queue(conn, light, 2)
    admit(conn, gates_of(heavy, light))
    node = make_registration(conn)
    (first,) = claimed_by(conn, node, slots=9)
    done = complete(conn, [report_of(first, ExecutionState.FAILED, retry_seconds=0.0)])
    assert (done.gates, done.pools) == (set(), set())
    assert admit_waiting(conn).ready == 0
    promote(conn)
    (second,) = claimed_by(conn, node, slots=9)
    done = complete(conn, [report_of(second)])
    assert done.pools == {pool.pk}
    assert admit_freed(conn, done.gates, done.pools).ready == 2
    assert states(light) == {"ready": 2}


def test_one_that_waits_for_its_pool_keeps_its_place_at_its_gate(conn: Connection) -> None:
    pool = make_pool(1)
    other, task = make_task(overlap="allow", pool=pool), make_task(overlap="skip", pool=pool)
    queue(conn, other)
    admit(conn, gates_of(other))
    (older,) = queue(conn, task)
    admit(conn, [task.pk])
    (newer,) = queue(conn, task)
    admit(conn, [task.pk])
    assert QueueEntry.objects.get(instance=older).state == EntryState.POOLED
    assert (state_of(older), state_of(newer)) == ("waiting", "skipped")


def test_one_that_its_own_gate_holds_back_does_not_hold_up_the_pool(conn: Connection) -> None:
    pool = make_pool(2)
    narrow, other = make_task(overlap="queue_all", pool=pool), make_task(overlap="allow", pool=pool)
    queue(conn, narrow, 2)
    queue(conn, other)
    admit(conn, gates_of(narrow, other))
    assert (states(narrow), states(other)) == ({"ready": 1, "waiting": 1}, {"ready": 1})


def test_cancelling_one_that_is_ready_makes_room_in_its_pool(conn: Connection) -> None:
    pool = make_pool(1)
    first, second = make_task(overlap="allow", pool=pool), make_task(overlap="allow", pool=pool)
    (ready,) = queue(conn, first)
    queue(conn, second)
    admit(conn, gates_of(first, second))
    done = cancel(conn, [ready], message="Enough.")
    assert admit(conn, done.gates, done.pools).ready == 1
    assert states(second) == {"ready": 1}


def test_a_pool_that_shrank_admits_again_once_it_has_room_and_breaks_no_promise(conn: Connection) -> None:
    pool = make_pool(4)
    task = make_task(overlap="allow", pool=pool, pool_weight=2)
    queue(conn, task, 3)
    admit(conn, [task.pk])
    Pool.objects.filter(pk=pool.pk).update(slots=1)
    assert check(conn) == []
    node = make_registration(conn)
    first, second = claimed_by(conn, node, slots=9)
    done = complete(conn, [report_of(first)])
    assert admit_freed(conn, done.gates, done.pools).ready == 0
    done = complete(conn, [report_of(second)])
    assert admit_freed(conn, done.gates, done.pools).ready == 1
    assert states(task) == {"succeeded": 2, "ready": 1}


def test_the_check_sees_a_pool_that_holds_too_much(conn: Connection) -> None:
    task = make_task(overlap="allow", pool=make_pool(2))
    queue(conn, task, 3)
    conn.execute("UPDATE rota_queue_entry SET state = 0")
    assert [broken.promise for broken in check(conn)] == ["pools hold"]


def test_what_waits_for_a_pool_that_is_gone_goes_on(conn: Connection) -> None:
    pool = make_pool(0)
    task = make_task(overlap="allow", pool=pool)
    queue(conn, task)
    admit(conn, [task.pk])
    task.pool = None
    task.save()
    pool.delete()
    assert admit_waiting(conn).ready == 1


def test_in_a_pool_too_a_lower_priority_is_overtaken_only_for_a_while(conn: Connection) -> None:
    pool = make_pool(1)
    low, high = make_task(overlap="allow", pool=pool), make_task(overlap="allow", pool=pool, priority=1)
    now = database_now(conn)
    made = [*queue(conn, low), *queue(conn, high), *queue(conn, high)]
    for instance_id, age in zip(made, (100, 100 - 29, 100 - 31), strict=True):
        conn.execute(
            "UPDATE rota_queue_entry SET run_at = %(at)s, sort_key = sort_key - run_at + %(at)s"
            " WHERE instance_id = %(id)s",
            {"at": now - timedelta(seconds=age), "id": instance_id},
        )
    node, order = make_registration(conn), []
    for _ in range(3):
        admit(conn, gates_of(low, high), [pool.pk])
        (claimed,) = claimed_by(conn, node)
        order.append(claimed.instance_id)
        complete(conn, [report_of(claimed)])
    assert order == [made[1], made[0], made[2]]


def test_schedulers_hear_of_a_pool_that_grew_and_of_a_limit_that_was_raised(conn: Connection) -> None:
    pool = make_pool(0)
    task = make_task(overlap="queue_all", pool=pool)
    first, second = queue(conn, task, 2)
    # The sweep comes once by itself, and not again while this test lives.
    loop = SchedulerLoop(settings=replace(conf(), MAINTENANCE_SECONDS=3600))

    def stand(instance_id: int) -> int:
        return QueueEntry.objects.get(pk=instance_id).state

    with in_background(loop.run, stop=loop.stop):
        wait_until(lambda: stand(first) == EntryState.POOLED, what="the first is through its gate")
        Pool.objects.filter(pk=pool.pk).update(slots=2)
        wait_until(lambda: stand(first) == EntryState.READY, what="the first has room in its pool")
        Task.objects.filter(pk=task.pk).update(max_running=2)
        wait_until(lambda: stand(second) == EntryState.READY, what="the second is through, too")
