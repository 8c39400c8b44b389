"""Outcomes over time: what ended in each hour or day, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from scheduling.db import callers_connection
from scheduling.domain.spans import Span, slots_of
from scheduling.statistics.figures import Counts
from scheduling.statistics.scope import Scope

# Summed up by the slot that the hour lies in, so that thirty days do not bring every hour's classes along.
_SLOTS = """
SELECT width_bucket(hour, %(edges)s::timestamptz[]) - 1, outcome, bucket,
    sum(count)::bigint, sum(lasted), sum(waited)
FROM rota_stat_hour
WHERE task_id = coalesce(%(task)s::int, 0) AND hour >= %(since)s AND hour < %(until)s
    AND (%(namespaces)s::bigint[] IS NULL OR namespace_id = ANY(%(namespaces)s))
GROUP BY 1, 2, 3
"""


@dataclass(kw_only=True, slots=True)
class OutcomeSlot:
    """One bar of the chart."""

    begins_at: datetime
    ends_at: datetime
    counts: Counts


@dataclass(kw_only=True, slots=True)
class OutcomeSeries:
    """The bars, oldest first and without a gap, and all of them together."""

    span: Span
    slots: Sequence[OutcomeSlot]
    total: Counts


def outcomes_over_time(scope: Scope, *, span: Span, zone: tzinfo, now: datetime) -> OutcomeSeries:
    """Return how many instances of ``scope`` ended in each hour or day of ``zone``, and how. One query."""
    slots = slots_of(span, now=now, zone=zone)
    found = [
        OutcomeSlot(begins_at=begins, ends_at=ends, counts=Counts())
        for begins, ends in zip(slots.edges, slots.edges[1:], strict=False)
    ]
    total = Counts()
    params = {**scope.params, "since": slots.begins_at, "until": slots.ends_at, "edges": list(slots.edges)}
    with callers_connection().cursor() as cursor:
        for place, *row in cursor.execute(_SLOTS, params).fetchall():
            found[place].counts.add(*row)
            total.add(*row)
    return OutcomeSeries(span=span, slots=found, total=total)
