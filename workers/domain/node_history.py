"""What a node was, and when: its recorded changes, turned into stretches of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.domain.states import NodeHealth, NodeState


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeChange:
    """A moment at which a node's worker was heard of and was something else than before, or another worker."""

    at: datetime
    #: None: there was no such node.
    before: NodeState | None
    #: The sign of life before this one.
    last_seen_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A node in one state from one moment to another. ``health`` None: it did not exist."""

    begins_at: datetime
    ends_at: datetime
    health: NodeHealth | None

    @property
    def length(self) -> timedelta:
        """How long it was so."""
        return self.ends_at - self.begins_at


def stretches(
    changes: Sequence[NodeChange],
    *,
    state: NodeState,
    last_seen_at: datetime,
    since: datetime,
    now: datetime,
    lease: timedelta,
) -> list[Stretch]:
    """Return what the node was from ``since`` to ``now``, oldest first and without a gap.

    ``changes`` are those after ``since``, in any order; ``state`` and ``last_seen_at`` are what is known at ``now``. A
    worker counts as lost from the moment at which ``lease`` had passed since its last sign of life.
    """
    found: list[Stretch] = []
    for change in sorted(changes, key=lambda each: each.at):
        _add(found, since, change.at, change.before, change.last_seen_at, lease)
    _add(found, since, now, state, last_seen_at, lease)
    return found


def _add(
    found: list[Stretch],
    since: datetime,
    until: datetime,
    state: NodeState | None,
    seen: datetime | None,
    lease: timedelta,
) -> None:
    begins = found[-1].ends_at if found else since
    if state in (NodeState.ONLINE, NodeState.DRAINING) and seen is not None and seen + lease < until:
        _append(found, begins, max(begins, seen + lease), NodeHealth(state))
        _append(found, max(begins, seen + lease), until, NodeHealth.LOST)
    else:
        _append(found, begins, until, None if state is None else NodeHealth(state))


def _append(found: list[Stretch], begins: datetime, ends: datetime, health: NodeHealth | None) -> None:
    if ends <= begins:
        return
    if found and found[-1].health is health:
        begins = found.pop().begins_at
    found.append(Stretch(begins_at=begins, ends_at=ends, health=health))
