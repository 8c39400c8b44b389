"""Upkeep: the chores that keep the database small and its statistics current, each beside the loop."""

from __future__ import annotations

from scheduling.conf import conf
from scheduling.db import Connection
from scheduling.engine.fold_statistics import HAS_DELTAS, fold_statistics
from scheduling.engine.vacuum import SOME_ARE_LATE, late_tables, vacuum_tables
from scheduling.runtime.background import Background, on_a_connection
from scheduling.runtime.maintainer import Maintainer
from scheduling.runtime.retention import keep_retention
from scheduling.runtime.task_sums import keep_sums_in_turn, sums_are_late

#: How often old partitions are looked for; days do not end more often.
RETENTION_EVERY_SECONDS = 3600.0
VACUUM_EVERY_SECONDS = 5.0
#: So many times as long as it took it is not done again: while somebody holds an old snapshot it frees nothing.
VACUUM_RESTS = 20.0
#: How often it is looked whether an hour has gone by that sums by task do not hold yet.
SUMS_EVERY_SECONDS = 60.0

_FOLD = 50_000


def upkeep_maintainers() -> list[Maintainer]:
    """Return the chores; any number of schedulers may do them."""
    return [
        Background("folded", on_a_connection("statistics", _fold)).maintainer(
            conf().MAINTENANCE_SECONDS, needed=HAS_DELTAS
        ),
        Background("summed", on_a_connection("sums", _sum), needed=sums_are_late).maintainer(SUMS_EVERY_SECONDS),
        Background("vacuumed", on_a_connection("vacuum", _vacuum), rests=VACUUM_RESTS).maintainer(
            VACUUM_EVERY_SECONDS, needed=SOME_ARE_LATE
        ),
        Background("dropped", keep_retention).maintainer(RETENTION_EVERY_SECONDS),
    ]


def _fold(conn: Connection) -> int:
    total = 0
    while True:
        folded = fold_statistics(conn, limit=_FOLD)
        total += folded or 0
        if folded is None or folded < _FOLD:
            return total


def _sum(conn: Connection) -> int:
    # Folding, which is due at the same moments, may have the lock; that takes milliseconds, and the next turn a minute.
    return keep_sums_in_turn(conn, patience_seconds=SUMS_EVERY_SECONDS)


def _vacuum(conn: Connection) -> int:
    late = late_tables(conn)
    vacuum_tables(conn, late)
    return len(late)
