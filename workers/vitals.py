"""Numbers for Prometheus: the queue, the schedulers, the nodes and the promises, read from the database."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from scheduling.db import Connection
from scheduling.domain.states import EntryState
from scheduling.vitals import queue_vitals, scheduler_vitals, vitals
from workers.conf import conf
from workers.runtime.worker_metrics import ENDS

#: Counting the queue costs in proportion to what is in it; the numbers may be so old (seconds).
QUEUE_SECONDS = 5.0

_NODES = """
SELECT name, state, extract(epoch FROM clock_timestamp() - last_seen_at)::float8, slots, busy, held_at IS NOT NULL,
    counts::text
FROM rota_node WHERE state <> 'stopped' OR last_seen_at > clock_timestamp() - interval '1 hour' ORDER BY name
"""

# No row until a scheduler has looked for the first time.
_PROMISES = """
SELECT broken::text, extract(epoch FROM clock_timestamp() - checked_at)::float8 FROM rota_promise_check
WHERE checked_at IS NOT NULL
"""

#: What a state of the queue is called in a label.
STATE_WORDS = {
    EntryState.READY: "ready",
    EntryState.RUNNING: "running",
    EntryState.WAITING: "waiting",
    EntryState.DELAYED: "retrying",
    EntryState.PLANNED: "planned",
    EntryState.POOLED: "pooled",
}


@dataclass(slots=True)
class _Kept:
    """Metrics that are read anew only after a while, whoever asks and how often."""

    seconds: float
    metrics: list[Metric] = field(default_factory=list)
    read_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, read: Callable[[], list[Metric]]) -> list[Metric]:
        with self.lock:
            if time.monotonic() - self.read_at > self.seconds:
                self.metrics = read()
                self.read_at = time.monotonic()
            return self.metrics


class Vitals:
    """Reads the numbers; one for each process, so that expensive ones are shared between requests."""

    def __init__(self) -> None:
        self._queue = _Kept(QUEUE_SECONDS)

    def metrics(self, conn: Connection) -> Iterator[Metric]:
        """Yield every metric. ``conn`` is in no transaction. Raises psycopg.Error."""
        yield from _schedulers(conn)
        yield from _nodes(conn)
        yield from self._queue.get(lambda: _queue(conn))
        yield from _promises(conn)


def _schedulers(conn: Connection) -> Iterator[Metric]:
    now = vitals(conn)
    yield GaugeMetricFamily("rota_schedulers_alive", "Schedulers that were heard of lately.", now.schedulers_alive)
    yield GaugeMetricFamily(
        "rota_overdue_seconds", "For how long the most overdue tick has been waiting to be fired.", now.overdue_seconds
    )
    silent = GaugeMetricFamily(
        "rota_scheduler_heartbeat_age_seconds", "Since a scheduler was last heard of.", labels=["scheduler"]
    )
    lag = GaugeMetricFamily(
        "rota_scheduler_lag_seconds",
        "How late a scheduler fired at the worst, as of its last heartbeat.",
        labels=["scheduler"],
    )
    fired = CounterMetricFamily("rota_fired", "Instances that a scheduler has fired.", labels=["scheduler"])
    chores = CounterMetricFamily("rota_scheduler_done", "What else a scheduler has done.", labels=["scheduler", "what"])
    for each in scheduler_vitals(conn):
        silent.add_metric([each.name], each.silent_seconds)
        lag.add_metric([each.name], each.lag_seconds)
        fired.add_metric([each.name], each.counts.get("fired", 0))
        for what, count in sorted(each.counts.items()):
            if what not in {"fired", "beat"}:
                chores.add_metric([each.name, what], count)
    yield from (silent, lag, fired, chores)


def _nodes(conn: Connection) -> Iterator[Metric]:
    up = GaugeMetricFamily("rota_node_up", "1 for a node that was heard of within a lease.", labels=["node"])
    held = GaugeMetricFamily("rota_node_held", "1 for a node that somebody has drained.", labels=["node"])
    silent = GaugeMetricFamily("rota_node_heartbeat_age_seconds", "Since a node was last heard of.", labels=["node"])
    slots = GaugeMetricFamily("rota_node_slots", "How much a node can run at once.", labels=["node"])
    busy = GaugeMetricFamily("rota_node_busy_slots", "How much a node runs.", labels=["node"])
    claimed = CounterMetricFamily("rota_claimed", "Instances that a node has claimed.", labels=["node"])
    ended = CounterMetricFamily("rota_attempts", "Attempts that have ended, by how.", labels=["node", "outcome"])
    refused = CounterMetricFamily("rota_reports_refused", "Reports that came after the lease.", labels=["node"])
    seconds = CounterMetricFamily("rota_attempt_seconds", "How long attempts took, all together.", labels=["node"])
    for name, state, age, slot_count, busy_count, is_held, counted in conn.execute(_NODES).fetchall():
        counts = json.loads(counted)
        alive = state != "stopped" and age <= conf().lease_seconds
        up.add_metric([name], int(alive))
        held.add_metric([name], int(is_held))
        claimed.add_metric([name], counts.get("claimed", 0))
        refused.add_metric([name], counts.get("refused", 0))
        seconds.add_metric([name], counts.get("seconds", 0))
        for outcome in ENDS:
            ended.add_metric([name, outcome], counts.get(outcome, 0))
        if state != "stopped":
            silent.add_metric([name], age)
            slots.add_metric([name], slot_count)
            busy.add_metric([name], busy_count)
    yield from (up, held, silent, slots, busy, claimed, ended, refused, seconds)


def _queue(conn: Connection) -> list[Metric]:
    depth = GaugeMetricFamily("rota_queue_entries", "What is in the queue.", labels=["queue", "state"])
    oldest = GaugeMetricFamily(
        "rota_queue_oldest_ready_seconds", "For how long the oldest ready entry has been due.", labels=["queue"]
    )
    for each in queue_vitals(conn):
        depth.add_metric([each.queue, STATE_WORDS[EntryState(each.state)]], each.count)
        if each.state == EntryState.READY:
            oldest.add_metric([each.queue], each.oldest_seconds)
    return [depth, oldest]


def _promises(conn: Connection) -> Iterator[Metric]:
    gauge = GaugeMetricFamily(
        "rota_broken_promises",
        "Rows that break a promise about the queue, when a scheduler last looked; of the history, at the last day.",
        labels=["promise"],
    )
    age = GaugeMetricFamily("rota_broken_promises_age_seconds", "Since a scheduler last looked at the promises.")
    for broken, seconds in conn.execute(_PROMISES).fetchall():
        age.add_metric([], seconds)
        for word, count in sorted(json.loads(broken).items()):
            gauge.add_metric([word], count)
    yield from (gauge, age)
