"""All benchmarks, by name."""

from __future__ import annotations

from config.benchmarks.base import Benchmark
from config.benchmarks.growth import GROWTH
from config.benchmarks.herd import HERD
from config.benchmarks.idle import IDLE
from config.benchmarks.latency import LATENCY
from config.benchmarks.logs import LOGS
from config.benchmarks.pages import PAGES_AT_SIZE
from config.benchmarks.pinned import PINNED
from config.benchmarks.planning import PLANNING
from config.benchmarks.punctuality import PUNCTUALITY
from config.benchmarks.sustained import SUSTAINED
from config.benchmarks.throughput import THROUGHPUT

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        THROUGHPUT,
        SUSTAINED,
        LATENCY,
        PUNCTUALITY,
        HERD,
        IDLE,
        GROWTH,
        PINNED,
        LOGS,
        PAGES_AT_SIZE,
        PLANNING,
    )
}
