"""What a node was, and when, from its changes."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from workers.domain.node_history import NodeChange, stretches
from workers.domain.states import NodeHealth, NodeState

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SINCE = NOW - timedelta(hours=24)
LEASE = timedelta(seconds=20)


def hour(number: float) -> datetime:
    return SINCE + timedelta(hours=number)


def read(*changes: NodeChange, state: NodeState = NodeState.ONLINE, seen: datetime = NOW) -> list[tuple[object, float]]:
    """The stretches as (health, hours)."""
    found = stretches(changes, state=state, last_seen_at=seen, since=SINCE, now=NOW, lease=LEASE)
    assert found[0].begins_at == SINCE
    assert found[-1].ends_at == NOW
    assert all(one.ends_at == two.begins_at for one, two in itertools.pairwise(found))
    return [(each.health, round(each.length / timedelta(hours=1), 1)) for each in found]


def change(at: datetime, before: NodeState | None, seen: datetime | None = None) -> NodeChange:
    return NodeChange(at=at, before=before, last_seen_at=seen or at)


def test_a_node_without_changes_was_what_it_is() -> None:
    assert read() == [(NodeHealth.ONLINE, 24)]
    assert read(state=NodeState.STOPPED, seen=SINCE - timedelta(days=3)) == [(NodeHealth.STOPPED, 24)]


def test_changes_cut_the_day_in_whatever_order_they_are_read() -> None:
    changes = [
        change(hour(20), NodeState.STOPPED),
        change(hour(6), NodeState.ONLINE),
        change(hour(7), NodeState.DRAINING),
    ]
    assert read(*changes) == [
        (NodeHealth.ONLINE, 6),
        (NodeHealth.DRAINING, 1),
        (NodeHealth.STOPPED, 13),
        (NodeHealth.ONLINE, 4),
    ]


def test_a_silence_that_outlasted_the_lease_was_a_loss_until_it_was_heard_of_again() -> None:
    back = NodeChange(at=hour(10), before=NodeState.ONLINE, last_seen_at=hour(4))
    assert read(back) == [(NodeHealth.ONLINE, 4), (NodeHealth.LOST, 6), (NodeHealth.ONLINE, 14)]


def test_a_restart_within_the_lease_was_no_loss() -> None:
    back = NodeChange(at=hour(10), before=NodeState.ONLINE, last_seen_at=hour(10) - LEASE / 2)
    assert read(back) == [(NodeHealth.ONLINE, 24)]


def test_a_node_that_is_silent_now_is_lost_up_to_now() -> None:
    assert read(seen=hour(18)) == [(NodeHealth.ONLINE, 18), (NodeHealth.LOST, 6)]
    assert read(seen=SINCE - timedelta(days=2)) == [(NodeHealth.LOST, 24)]


def test_before_it_existed_it_was_nothing() -> None:
    assert read(change(hour(23), None)) == [(None, 23), (NodeHealth.ONLINE, 1)]
