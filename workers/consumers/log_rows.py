"""The rows of a log as a follower reads them: on a pooled connection, a bounded number of bytes at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scheduling.push.pool import turn
from workers.consumers.visitor import Followed
from workers.engine.watch_log import RENEW_WATCH, WATCH_SECONDS

#: One message holds about so much text at most, in bytes, and at least one chunk.
MESSAGE_BYTES = 256 * 1024

#: ... and at most so many chunks.
MESSAGE_CHUNKS = 500

_STATE = b"""
SELECT state, reason, message, finished_at FROM rota_execution WHERE id = %s AND scheduled_for = %s
"""

# The running sum looks at sizes only, which are kept beside a text that is stored apart.
_CHUNKS = b"""
SELECT c.seq, c.stream, c.at, c.body
FROM (
    SELECT seq, sum(octet_length(body)) OVER (ORDER BY seq) - octet_length(body) AS before
    FROM (
        SELECT seq, body FROM rota_log_chunk
        WHERE execution_id = %(execution)s AND scheduled_for = %(at)s AND seq > %(after)s
        ORDER BY seq LIMIT %(most)s
    ) AS next
) AS run
JOIN rota_log_chunk c ON c.execution_id = %(execution)s AND c.scheduled_for = %(at)s AND c.seq = run.seq
WHERE run.before < %(bytes)s
ORDER BY c.seq
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One chunk."""

    seq: int
    stream: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the database found: chunks, and the end when it has come."""

    rows: list[Row]
    state: str
    reason: str
    message: str
    finished_at: datetime | None


async def look(followed: Followed, after: int) -> Look | None:
    """Return what comes after chunk ``after``; None when the execution is gone.

    Raises psycopg.Error, also when no connection is free in time.
    """
    async with turn() as conn:
        # The state is read before the chunks: a log is stored before the end that it belongs to.
        cursor = await conn.execute(_STATE, [followed.execution_id, followed.scheduled_for])
        state = await cursor.fetchone()
        if state is None:
            return None
        cursor = await conn.execute(
            _CHUNKS,
            {
                "execution": followed.execution_id,
                "at": followed.scheduled_for,
                "after": after,
                "most": MESSAGE_CHUNKS,
                "bytes": MESSAGE_BYTES,
            },
        )
        return Look([Row(*row) for row in await cursor.fetchall()], *state)


async def renew_watch(followed: Followed) -> None:
    """Tell the execution's worker that a push would be heard; holds for `WATCH_SECONDS`."""
    async with turn() as conn:
        await conn.execute(RENEW_WATCH, {"execution": followed.execution_id, "seconds": WATCH_SECONDS})
