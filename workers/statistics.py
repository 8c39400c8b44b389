"""Nodes: how many live, and how much of them is busy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.domain.states import NodeHealth
from workers.models import Node

#: What went silent longer ago is no news.
LATELY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class NodesHealth:
    """The nodes together. Those that ended in order are left out."""

    online: int
    draining: int
    lost: int
    #: Of the lost ones, those that were heard of within the last day.
    lost_lately: int
    #: Of those online.
    slots: int
    busy: int


def nodes_health(now: datetime) -> NodesHealth:
    """Return how the nodes do at ``now``, by the database's clock. One query."""
    known = [(each, each.health(now)) for each in Node.objects.all()]
    health = Counter(each for _, each in known)
    online = [node for node, each in known if each is NodeHealth.ONLINE]
    return NodesHealth(
        online=health[NodeHealth.ONLINE],
        draining=health[NodeHealth.DRAINING],
        lost=health[NodeHealth.LOST],
        lost_lately=sum(each is NodeHealth.LOST and now - node.last_seen_at < LATELY for node, each in known),
        slots=sum(node.slots for node in online),
        busy=sum(node.busy for node in online),
    )
