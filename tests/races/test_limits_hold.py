"""Limits and pools under load: whoever queues, admits, claims, completes, cancels and reaps at the same time."""

from __future__ import annotations

import random
from collections.abc import Callable

from scheduling.db import Connection
from scheduling.engine.admit import admit
from scheduling.engine.admit_waiting import admit_freed, admit_waiting
from scheduling.engine.cancel import cancel
from scheduling.engine.promote import promote
from scheduling.models import Pool, QueueEntry
from tests.engine.work import claimed_by, queue, report_of
from tests.factories import make_namespace, make_registration, make_task
from tests.races.orders import connections
from tests.support.threads import at_once, in_background
from workers.domain.states import ExecutionState
from workers.engine.check import check
from workers.engine.complete import complete
from workers.engine.reap import reap

#: In one statement, so that it is one snapshot: the most that any gate and any pool of the test has taken.
_SAMPLE = """
SELECT coalesce(max(n) FILTER (WHERE kind = 'gate'), 0), coalesce(max(n) FILTER (WHERE kind = 'pool'), 0) FROM (
    SELECT 'gate' AS kind, count(*) AS n FROM rota_queue_entry
    WHERE gate IS NOT NULL AND state IN (0, 1, 3, 5) GROUP BY gate
    UNION ALL
    SELECT 'pool', sum(pool_weight) FROM rota_queue_entry WHERE pool_id IS NOT NULL AND state IN (0, 1, 3)
    GROUP BY pool_id
) x
"""

_DEADLOCKS = "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()"

PER_CLIENT_AND_TASK = 4
LIMIT, SLOTS = 3, 4


def test_no_limit_is_exceeded_for_a_moment_and_nothing_deadlocks(conn: Connection) -> None:
    pool = Pool.objects.create(namespace=make_namespace(), name="p", slots=SLOTS)
    limited = make_task(overlap="allow", max_running=LIMIT)
    # Of different priorities, so that two admissions that see different rows choose different ones.
    shared = [
        make_task(overlap="queue_all", max_running=LIMIT, concurrency_key="k", priority=priority)
        for priority in (-100, 0, 100)
    ]
    pooled = [
        make_task(overlap="queue_all", max_running=LIMIT, pool=pool, pool_weight=weight) for weight in (1, 2, SLOTS)
    ]
    replaced = make_task(overlap="cancel_running", max_running=LIMIT)
    tasks = [limited, *shared, *pooled, replaced]
    most = {"gate": 0, "pool": 0}
    samples = 0
    done = False

    def sample(watch: Connection) -> None:
        nonlocal samples
        while not done:
            row = watch.execute(_SAMPLE).fetchone()
            assert row is not None
            most["gate"], most["pool"] = max(most["gate"], row[0]), max(most["pool"], int(row[1]))
            samples += 1

    def some_of_all(own: Connection) -> list[int]:
        rows = own.execute("SELECT instance_id FROM rota_queue_entry WHERE state <= 1 ORDER BY random() LIMIT 4")
        return [row[0] for row in rows.fetchall()]

    def client(number: int, own: Connection) -> Callable[[], None]:
        chance = random.Random(number)
        node = make_registration(conn)

        def work() -> None:
            left = [task for task in tasks for _ in range(PER_CLIENT_AND_TASK)]
            chance.shuffle(left)
            idle = 0
            while left or idle < 3:
                if left:
                    made = queue(own, left.pop())
                    entries = own.execute(
                        "SELECT gate FROM rota_queue_entry WHERE instance_id = ANY(%s)", [made]
                    ).fetchall()
                    admit(own, {row[0] for row in entries})
                claims = claimed_by(own, node, slots=chance.randint(1, 9))
                idle = 0 if claims else idle + 1
                if chance.random() < 0.05:
                    freed = reap(own, incarnation=node.incarnation)
                    admit_freed(own, freed.gates, freed.pools)
                    continue
                if claims and chance.random() < 0.1:
                    asked = cancel(own, some_of_all(own), message="Stop.", kill=chance.random() < 0.5)
                    admit_freed(own, asked.gates, asked.pools)
                reports = [
                    report_of(claim, ExecutionState.FAILED, retry_seconds=0.0)
                    if chance.random() < 0.2
                    else report_of(claim)
                    for claim in claims
                ]
                # Not in order of their ids: the statement sees to that.
                chance.shuffle(reports)
                ended = complete(own, reports)
                admit_freed(own, ended.gates, ended.pools)
                promote(own)
                if chance.random() < 0.1:
                    admit_waiting(own)

        return work

    with connections(9) as (watch, *clients):
        before = conn.execute(_DEADLOCKS).fetchone()

        def stop() -> None:
            nonlocal done
            done = True

        with in_background(lambda: sample(watch), stop=stop):
            at_once(*(client(number, own) for number, own in enumerate(clients)))
    # What the clients left behind, to the last one.
    node = make_registration(conn)
    while QueueEntry.objects.exists():
        reap(conn, incarnation=node.incarnation)
        for entry in QueueEntry.objects.filter(state=1):
            reap(conn, incarnation=entry.holder)
        promote(conn)
        admit_waiting(conn)
        complete(conn, [report_of(claim) for claim in claimed_by(conn, node, slots=500)])
    after = conn.execute(_DEADLOCKS).fetchone()
    assert before is not None
    assert after is not None
    assert after[1] == before[1]
    assert samples > 100
    assert most == {"gate": LIMIT, "pool": SLOTS}, "full now and then, and never more"
    assert check(conn) == []


def test_completing_cancelling_and_reaping_the_same_instances_at_once_never_deadlocks(conn: Connection) -> None:
    task, node = make_task(overlap="allow"), make_registration(conn)
    chance = random.Random(1)

    def all_at_once(own: list[Connection]) -> None:
        # Enough rows that each statement is still locking them when the next one begins.
        ids = queue(conn, task, 400)
        reports = [report_of(claim) for claim in claimed_by(conn, node, slots=400)]
        chance.shuffle(reports)
        chance.shuffle(ids)
        at_once(
            lambda: complete(own[0], reports),
            lambda: complete(own[1], reports[::-1]),
            lambda: cancel(own[2], ids, message="Stop."),
            lambda: reap(own[3], incarnation=node.incarnation),
        )
        reap(conn, incarnation=node.incarnation)
        cancel(conn, ids, message="Stop.")

    with connections(4) as own:
        for _ in range(4):
            all_at_once(own)
    assert not QueueEntry.objects.exists()
    assert check(conn) == []
