"""Nodes over the last day, as people's interfaces read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from workers.conf import conf
from workers.domain.node_history import NodeChange as Change
from workers.domain.node_history import Stretch, stretches
from workers.domain.states import NodeState
from workers.models import Node, NodeChange

#: How far back a strip reaches.
DAY = timedelta(days=1)


def node_days(nodes: Sequence[Node], now: datetime, *, reach: timedelta = DAY) -> dict[int, list[Stretch]]:
    """Return what each node was up to ``now``, oldest first, by its id. One query for all of them."""
    since = now - reach
    found: dict[int, list[Change]] = {node.pk: [] for node in nodes}
    for row in NodeChange.objects.filter(node__in=list(found), at__gt=since, at__lte=now):
        before = NodeState(row.before) if row.before else None
        found[row.node_id].append(Change(at=row.at, before=before, last_seen_at=row.last_seen_at))
    lease = timedelta(seconds=conf().lease_seconds)
    return {
        node.pk: stretches(
            found[node.pk],
            state=NodeState(node.state),
            last_seen_at=node.last_seen_at,
            since=since,
            now=now,
            lease=lease,
        )
        for node in nodes
    }
