"""What a worker tells Prometheus about itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

#: How an attempt ends, as the worker counts it.
ENDS = ("succeeded", "failed", "cancelled", "retry")


def worker_metrics(counts: Mapping[str, int], *, slots: int, busy: int, unwritten: int) -> Iterator[Metric]:
    """Yield the numbers: ``counts`` since the start by name, slots, busy ones, and results not yet written."""
    yield GaugeMetricFamily("rota_node_slots", "How much this node can run at once.", slots)
    yield GaugeMetricFamily("rota_node_busy_slots", "How much this node runs.", busy)
    yield GaugeMetricFamily("rota_results_unwritten", "Results that the database has not acknowledged.", unwritten)
    yield CounterMetricFamily("rota_claimed", "Instances that this node has claimed.", counts.get("claimed", 0))
    yield CounterMetricFamily("rota_reports_refused", "Reports that came after the lease.", counts.get("refused", 0))
    yield CounterMetricFamily("rota_attempt_seconds", "How long attempts took in all.", counts.get("seconds", 0))
    ended = CounterMetricFamily("rota_attempts", "Attempts that have ended, by how.", labels=["outcome"])
    for outcome in ENDS:
        ended.add_metric([outcome], counts.get(outcome, 0))
    yield ended
