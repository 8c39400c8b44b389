"""advance_window: sums by task of the ranges that tables show are kept, hour by hour."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scheduling.db import Connection, sql_file
from scheduling.engine.fold_statistics import STATISTICS_LOCK

_ADVANCE = Path(__file__).parent / "sql" / "advance_window.sql"

_TRY = "SELECT pg_try_advisory_xact_lock(%s)"

_REACHED = "SELECT until FROM rota_stat_window WHERE since = %s"

_KEEP = """
INSERT INTO rota_stat_window (since, until) VALUES (%s, %s) ON CONFLICT (since) DO UPDATE SET until = excluded.until
"""

_FORGET = """
WITH gone AS (DELETE FROM rota_stat_window WHERE since = ANY(%(sinces)s) RETURNING since)
DELETE FROM rota_stat_sum s USING gone g WHERE s.since = g.since
"""

DAY = timedelta(days=1)


def windows(conn: Connection) -> Mapping[datetime, datetime]:
    """Return the ranges that sums are kept of: how far each reaches, by where it begins."""
    return dict(conn.execute("SELECT since, until FROM rota_stat_window").fetchall())


def advance_window(conn: Connection, *, since: datetime, until: datetime) -> int | None:
    """Have the sums from ``since`` on reach ``until``; return how many rows changed, None when somebody folds now.

    Both are full hours (UTC). The sums of a range that is not known yet are made from the statistics, which for a
    hundred thousand tasks and thirty days takes seconds; after that an hour costs what ended in it.
    """
    with conn.transaction():
        if not _locked(conn):
            return None
        row = conn.execute(_REACHED, [since]).fetchone()
        reached = since if row is None else row[0]
        if reached >= until:
            return 0
        changed = conn.execute(sql_file(_ADVANCE), {"since": since, **_parts(reached, until)}).rowcount
        conn.execute(_KEEP, [since, until])
    if row is None:
        # So that the planner knows of the range, and reads its first tasks by their index instead of sorting all.
        conn.execute("ANALYZE rota_stat_sum")
    return changed


def forget_windows(conn: Connection, sinces: Collection[datetime]) -> int | None:
    """Delete the sums of these ranges; return how many rows, None when somebody folds now."""
    with conn.transaction():
        if not _locked(conn):
            return None
        return conn.execute(_FORGET, {"sinces": list(sinces)}).rowcount


def _locked(conn: Connection) -> bool:
    row = conn.execute(_TRY, [STATISTICS_LOCK]).fetchone()
    return bool(row and row[0])


def _parts(begin: datetime, end: datetime) -> Mapping[str, datetime]:
    """Cut the hours from ``begin`` to ``end`` into hours, whole days, and hours."""
    last = end.astimezone(UTC).replace(hour=0)
    midnight = begin.astimezone(UTC).replace(hour=0)
    midnight = midnight if midnight == begin else midnight + DAY
    if midnight > last:
        # Within one day: there are hours only.
        midnight = last = end
    return {"from": begin, "midnight": midnight, "last_midnight": last, "until": end}
