"""How late handlers began: what their function noted, against the moment that the work was due."""

from __future__ import annotations

from config.benchmarks.base import Figures
from config.benchmarks.work import clock_offset_seconds, percentile
from scheduling.db import Connection

#: What the function `benchmark.started_at` returned, in seconds of the workers' clock.
_LATENESS = """
SELECT (result #>> '{}')::float8 - extract(epoch FROM scheduled_for)::float8 FROM rota_execution
WHERE task_id = ANY(%s) AND state = 'succeeded' AND scheduled_for BETWEEN %s AND %s
"""


def lateness(conn: Connection, task_ids: list[int], since: object, until: object) -> list[float]:
    """Return, ascending, by how many seconds the handlers of what was due in that time began late.

    The workers run on this machine; its clock is compared with the database's.
    """
    offset = clock_offset_seconds(conn)
    rows = conn.execute(_LATENESS, [task_ids, since, until]).fetchall()
    return sorted(row[0] + offset for row in rows)


def in_milliseconds(ordered: list[float], prefix: str = "") -> Figures:
    """Return the percentiles that are reported of ascending seconds."""
    return {
        f"{prefix}p50_ms": percentile(ordered, 0.50) * 1000,
        f"{prefix}p95_ms": percentile(ordered, 0.95) * 1000,
        f"{prefix}p99_ms": percentile(ordered, 0.99) * 1000,
        f"{prefix}max_ms": (ordered[-1] if ordered else 0.0) * 1000,
    }
