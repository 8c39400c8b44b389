"""The schedulers' part in backfills: a chore that comes back sooner while one runs."""

from __future__ import annotations

from typing import Final

from scheduling.db import Connection
from scheduling.engine.backfill import advance_backfills
from scheduling.runtime.maintainer import Chores

#: The name of the chore in the schedulers' log line, and by which a wake-up finds it.
BACKFILLS = "backfills"

#: True while there is something to do, as an SQL expression.
RUNS: Final = "EXISTS (SELECT FROM rota_backfill WHERE state = 'running')"

#: How soon a running backfill is looked at again, in seconds.
AGAIN_SECONDS = 1.0


def run_backfills(conn: Connection) -> Chores:
    """Go on with every running backfill."""
    advanced = advance_backfills(conn)
    return Chores(
        count=advanced.created,
        gates=advanced.gates,
        again_seconds=AGAIN_SECONDS if advanced.running else None,
    )
