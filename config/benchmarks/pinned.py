"""pinned: how long a claim takes while somebody holds an old snapshot, so that no dead row can be cleaned up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.work import enqueue_many, make_task, percentile
from scheduling.db import own_connection
from scheduling.models import Task
from workers.domain.states import ExecutionState
from workers.engine.claim import claim
from workers.engine.complete import Report, complete
from workers.engine.nodes import Registration, register
from workers.engine.watermark import Watermark

#: How many claims there are in a second; each takes its share of the rate.
TURNS = 50


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Register one node; claims and reports go through the engine itself, so that each claim can be timed."""
    task = make_task("nothing")
    registration = register(
        stage.conn,
        name="benchmark-pinned",
        host="benchmark",
        pid=1,
        queues=["default"],
        handlers=["python"],
        known_handlers=["python"],
        slots=100,
        version="benchmark",
    )
    _turns(stage, task, registration, 1)

    def measure() -> Figures:
        free = _turns(stage, task, registration, max(stage["seconds"] // 4, 1))
        holder = own_connection("benchmark snapshot")
        try:
            holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            holder.execute("SELECT count(*) FROM rota_task")
            held = _turns(stage, task, registration, stage["seconds"])
        finally:
            holder.close()
        stage.conn.execute("VACUUM rota_queue_entry")
        # What it has come to at the end is what counts.
        last = sorted(held[-len(free) :])
        figures = {
            "free_p95_ms": percentile(sorted(free), 0.95) * 1000,
            "p50_ms": percentile(last, 0.50) * 1000,
            "p95_ms": percentile(last, 0.95) * 1000,
            "p99_ms": percentile(last, 0.99) * 1000,
        }
        return {**figures, "times_free": figures["p95_ms"] / figures["free_p95_ms"]}

    yield measure


def _turns(stage: Stage, task: Task, registration: Registration, seconds: int) -> list[float]:
    """Enqueue, claim and complete at the wanted rate; return how long each claim took, in seconds, in order."""
    size = max(1, stage["rate"] // TURNS)
    # A worker that keeps up has more room than there is work.
    free = size * 2
    taken = []
    # As a worker has one.
    mark = Watermark()
    due = time.monotonic()
    for turn in range(seconds * TURNS):
        stage.tell(turn / (seconds * TURNS))
        enqueue_many(stage.conn, task, size, analyze=False)
        since, began = mark.begin(), time.perf_counter()
        claims = claim(
            stage.conn,
            node_id=registration.node_id,
            incarnation=registration.incarnation,
            queues=["default"],
            handlers=["python"],
            slots=free,
            since=since,
        )
        taken.append(time.perf_counter() - began)
        mark.claimed(claims, slots=free, since=since, seconds=taken[-1])
        complete(
            stage.conn,
            [
                Report(
                    instance_id=claimed.instance_id,
                    lease_id=claimed.lease_id,
                    scheduled_for=claimed.scheduled_for,
                    state=ExecutionState.SUCCEEDED,
                    reason="completed",
                )
                for claimed in claims
            ],
        )
        due += 1 / TURNS
        time.sleep(max(0.0, due - time.monotonic()))
    return taken


PINNED = Benchmark(
    name="pinned",
    about="how long a claim takes while an old snapshot keeps dead rows from being cleaned up, against without",
    options={"rate": 500, "seconds": 60},
    opened=opened,
    repeat=1,
    headline="p95_ms",
    against="seconds",
    values=(10, 30, 60, 120),
)
