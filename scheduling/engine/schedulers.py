"""schedulers: a scheduler says that it lives, hears who else does, and leaves.

Firing is correct without this: each tick is won by compare-and-set. The registry is for people, and for schedulers that
want to share the work instead of competing for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from scheduling.conf import conf
from scheduling.db import Connection

_REGISTER = """
INSERT INTO rota_scheduler (name, host, pid, version, started_at, last_seen_at, lag_seconds, counts)
VALUES (%(name)s, %(host)s, %(pid)s, %(version)s, clock_timestamp(), clock_timestamp(), 0, '{}')
RETURNING id
"""

#: The other rows are read as they were before the statement; ours is in the answer either way.
_BEAT = """
WITH me AS (
    UPDATE rota_scheduler SET last_seen_at = clock_timestamp(), lag_seconds = %(lag)s, counts = %(counts)s
    WHERE id = %(id)s AND stopped_at IS NULL
    RETURNING id
)
SELECT ARRAY(
    SELECT id FROM me UNION
    SELECT id FROM rota_scheduler
    WHERE stopped_at IS NULL AND last_seen_at > clock_timestamp() - make_interval(secs => %(live)s)
        AND id <> %(id)s
    ORDER BY 1
) FROM me
"""

_LEAVE = "UPDATE rota_scheduler SET stopped_at = clock_timestamp(), last_seen_at = clock_timestamp() WHERE id = %s"

_LIVE = """
SELECT id, name, last_seen_at, lag_seconds FROM rota_scheduler
WHERE stopped_at IS NULL AND last_seen_at > clock_timestamp() - make_interval(secs => %s)
ORDER BY id
"""

_SWEEP = "DELETE FROM rota_scheduler WHERE last_seen_at < clock_timestamp() - make_interval(secs => %s)"

#: The row of a scheduler that is gone is kept for so long (seconds), so that people see what was.
KEPT_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class LiveScheduler:
    """One scheduler that was heard of lately. The fields stand in the order of the statement's columns."""

    id: int
    name: str
    last_seen_at: datetime
    lag_seconds: float


def register_scheduler(conn: Connection, *, name: str, host: str, pid: int, version: str) -> int:
    """Enter a scheduler that has just started; return its number, which no other process has had."""
    row = conn.execute(_REGISTER, {"name": name, "host": host, "pid": pid, "version": version}).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING has a row
    number: int = row[0]
    return number


def beat(conn: Connection, *, scheduler_id: int, lag_seconds: float, counts: Mapping[str, int]) -> list[int] | None:
    """Renew a scheduler's entry; return the numbers of all that live, its own included, in order.

    None when it is not entered (any more): then it has to register anew.
    """
    row = conn.execute(
        _BEAT,
        {"id": scheduler_id, "lag": lag_seconds, "counts": Jsonb(dict(counts)), "live": conf().live_seconds},
    ).fetchone()
    return None if row is None else list(row[0])


def live_schedulers(conn: Connection) -> list[LiveScheduler]:
    """Return the schedulers that were heard of within three heartbeats and have not stopped, in order of number."""
    return [LiveScheduler(*row) for row in conn.execute(_LIVE, [conf().live_seconds]).fetchall()]


def leave_scheduler(conn: Connection, *, scheduler_id: int) -> None:
    """Mark a scheduler as stopped in order."""
    conn.execute(_LEAVE, [scheduler_id])


def sweep_schedulers(conn: Connection) -> int:
    """Forget schedulers that were not heard of for a day; return how many."""
    return conn.execute(_SWEEP, [KEPT_SECONDS]).rowcount
