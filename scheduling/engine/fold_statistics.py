"""fold_statistics: what ended since the last time goes into the tables that charts read."""

from __future__ import annotations

from pathlib import Path
from typing import LiteralString

from scheduling.db import Connection, sql_file

_FOLD = Path(__file__).parent / "sql" / "fold_statistics.sql"

#: Held, for one transaction, by whoever writes the statistics: the folding and the rebuilding of them.
STATISTICS_LOCK = 0x53544154

_TRY = "SELECT pg_try_advisory_xact_lock(%s)"


def fold_statistics(conn: Connection, *, limit: int = 50_000) -> int | None:
    """Fold up to ``limit`` deltas; return how many there were, or None when somebody else is at it.

    Deltas go and sums grow in one transaction, so that each end counts once whoever dies in between.
    """
    with conn.transaction():
        row = conn.execute(_TRY, [STATISTICS_LOCK]).fetchone()
        if row is None or not row[0]:
            return None
        found = conn.execute(sql_file(_FOLD), {"limit": limit}).fetchone()
    return found[0] if found else 0


#: Whether there is anything to fold, as an expression.
HAS_DELTAS: LiteralString = "EXISTS (SELECT FROM rota_stat_delta)"


def has_deltas(conn: Connection) -> bool:
    """Tell whether there is anything to fold."""
    row = conn.execute("SELECT " + HAS_DELTAS).fetchone()
    return bool(row and row[0])
