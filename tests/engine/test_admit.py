"""admit: limits and overlap rules hold, whoever asks at the same time."""

from __future__ import annotations

from collections import Counter

import pytest

from scheduling.db import Connection, own_connection
from scheduling.domain.states import Origin
from scheduling.engine.admit import admit
from scheduling.engine.admit_waiting import admit_waiting
from scheduling.engine.enqueue import enqueue
from scheduling.models import QueueEntry, Task, TaskInstance
from tests.factories import make_task
from tests.support.threads import at_once


def queued(conn: Connection, count: int, **over: object) -> Task:
    """A task with ``count`` instances that wait for admission."""
    task = make_task(**over)
    for _ in range(count):
        enqueue(conn, task_id=task.pk, origin=Origin.CODE)
    return task


def states(task: Task) -> Counter[str]:
    """How many instances of ``task`` are in which state."""
    return Counter(instance.state.value for instance in TaskInstance.objects.with_entry().filter(task=task))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"overlap": "skip"}, {"ready": 1, "skipped": 4}),
        ({"overlap": "queue_one"}, {"ready": 1, "waiting": 1, "skipped": 3}),
        ({"overlap": "queue_all"}, {"ready": 1, "waiting": 4}),
        ({"overlap": "allow"}, {"ready": 5}),
        ({"overlap": "allow", "max_running": 2}, {"ready": 2, "waiting": 3}),
        ({"overlap": "skip", "max_running": 3}, {"ready": 3, "skipped": 2}),
        ({"overlap": "queue_one", "max_running": 2}, {"ready": 2, "waiting": 1, "skipped": 2}),
    ],
)
def test_each_overlap_rule_lets_through_what_it_says(
    conn: Connection, policy: dict[str, object], expected: dict[str, int]
) -> None:
    task = queued(conn, 5, **policy)
    admit(conn, [task.pk])
    assert states(task) == expected


def test_a_skipped_instance_says_why_and_has_left_the_queue(conn: Connection) -> None:
    task = queued(conn, 2)
    admit(conn, [task.pk])
    skipped = TaskInstance.objects.get(task=task, outcome="skipped")
    assert (skipped.reason, skipped.failed_at) == ("overlap", None)
    assert "unfinished" in skipped.message
    assert not QueueEntry.objects.filter(instance=skipped.pk).exists()


def test_admissions_at_the_same_moment_never_exceed_the_limit(conn: Connection) -> None:
    task = queued(conn, 40, overlap="allow", max_running=3)
    others = [own_connection("test") for _ in range(8)]
    try:
        at_once(*(lambda c=c: admit(c, [task.pk]) for c in others))
    finally:
        for other in others:
            other.close()
    assert states(task) == {"ready": 3, "waiting": 37}


def test_the_sweep_admits_what_a_dead_process_left_waiting(conn: Connection) -> None:
    task = queued(conn, 1)
    assert admit_waiting(conn).ready == 1
    assert states(task) == {"ready": 1}
