"""All benchmarks, by name."""

from __future__ import annotations

from config.benchmarks.base import Benchmark
from config.benchmarks.planning import PLANNING
from config.benchmarks.throughput import THROUGHPUT

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        THROUGHPUT,
        PLANNING,
    )
}
