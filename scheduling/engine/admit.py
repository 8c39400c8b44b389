"""admit: the one way by which every entry of a limited task becomes ready, whoever made it.

There are two stations. At its gate an entry waits for the limit and the overlap rule of its task, or of its concurrency
key; behind it, if its task has a pool, for room there.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scheduling.db import CONTROL_CHANNEL, Connection, sql_file
from scheduling.domain.policies import Overlap
from scheduling.domain.states import InstanceState, Reason
from scheduling.engine.admission_lock import lock_gates
from scheduling.engine.admit_to_pools import admit_to_pools
from scheduling.engine.end_unstarted import end_unstarted
from scheduling.engine.replace import Newcomer, replace
from scheduling.notify import Notifier

_ADMIT = Path(__file__).parent / "sql" / "admit.sql"

#: So many gates are decided in one transaction. Each costs an advisory lock, and PostgreSQL's table of locks is small.
CHUNK = 500

#: How often a gate is looked at again because somebody held an entry that shall be replaced, and the pause between.
#: Whoever holds one commits within milliseconds; if not, the schedulers' sweep finds the gate.
_PATIENCE, _CONTENDED_SECONDS = 5, 0.005

_MESSAGES = {
    "skipped": "An earlier instance was unfinished.",
    "superseded": "A newer instance of this task took its place while it waited.",
}


@dataclass(kw_only=True, slots=True)
class Admitted:
    """What one call of `admit` did."""

    ready: int = 0
    skipped: int = 0
    #: How many ended because a newer instance took their place.
    replaced: int = 0
    #: How many running ones were asked to stop for the same reason.
    asked: int = 0
    queues: set[str] = field(default_factory=set)

    def announce(self, notifier: Notifier) -> None:
        """Tell workers what there is to claim, and what to stop."""
        notifier.queues(self.queues)
        if self.asked:
            notifier.send(CONTROL_CHANNEL)


def admit(conn: Connection, gates: Collection[int], pools: Collection[int] = ()) -> Admitted:
    """Let waiting entries through ``gates``, and into ``pools``, as far as the limits allow; end those that overlap.

    Lock and count are two statements on purpose: the second one's snapshot is taken after the lock was
    granted, so two admissions never count the same room. A limit is therefore never exceeded, and the
    claim need not know of limits at all. ``conn`` must be in autocommit, outside a transaction.
    """
    admitted = Admitted()
    touched = set(pools)
    ordered = sorted(set(gates))
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        patience = _PATIENCE
        while chunk:
            again, contended = _admit_gates(conn, chunk, admitted, touched)
            if not again and contended:
                patience -= 1
                if patience < 0:
                    break
                time.sleep(_CONTENDED_SECONDS)
            chunk = sorted(again | contended)
    # In a transaction of its own: nobody ever holds a gate while waiting for a pool.
    count, queues = admit_to_pools(conn, touched)
    admitted.ready += count
    admitted.queues |= queues
    return admitted


def _admit_gates(conn: Connection, gates: list[int], admitted: Admitted, pools: set[int]) -> tuple[set[int], set[int]]:
    """Decide once about each of ``gates``; return those to look at again, and those where somebody was in the way."""
    again: set[int] = set()
    moved: set[int] = set()
    newcomers = []
    ended: dict[str, list[tuple[int, datetime]]] = {"skipped": [], "superseded": []}
    with conn.transaction():
        lock_gates(conn, gates)
        rows = conn.execute(sql_file(_ADMIT), {"gates": gates}).fetchall()
        for what, gate, text, instance_id, moment, number in rows:
            if what not in {"newcomer", "again"}:
                moved.add(gate)
            match what:
                case "ready":
                    admitted.ready += 1
                    admitted.queues.add(text)
                case "pooled":
                    pools.add(number)
                case "newcomer":
                    newcomers.append(
                        Newcomer(gate=gate, instance_id=instance_id, most=number, kill=text == Overlap.KILL_RUNNING)
                    )
                case "again":
                    again.add(gate)
                case _:
                    ended[what].append((instance_id, moment))
        for what, leaving in ended.items():
            end_unstarted(conn, leaving, outcome=InstanceState.SKIPPED, reason=Reason.OVERLAP, message=_MESSAGES[what])
            admitted.skipped += len(leaving)
        # Where nothing moved because somebody holds the entries, looking again would be no different.
        again &= moved
        # Where there is more to come, the newest is not known yet.
        replaced = replace(conn, [each for each in newcomers if each.gate not in again])
    admitted.replaced += replaced.ended
    admitted.asked += replaced.asked
    pools |= replaced.pools
    return again | replaced.freed, replaced.contended
