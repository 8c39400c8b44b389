"""note_check: a scheduler looks now and then whether the promises are kept, and notes the answer for whoever asks."""

from __future__ import annotations

import json
from datetime import timedelta

from scheduling.db import Connection
from workers.engine.check import PROMISES, check, word_of

#: Of the history, so much is looked at.
REACH = timedelta(days=1)

#: A broken promise is counted so far.
MOST_BROKEN = 1000

#: Whether it is time for another look, as an SQL expression: after a minute, or twenty times as long as the last one
#: took, so that at most a twentieth of a session's time goes into it.
LOOK_IS_DUE = """NOT EXISTS (SELECT FROM rota_promise_check
    WHERE begun_at > clock_timestamp() - greatest(interval '60 s', 20 * lasted))"""

# Whoever writes the row takes the look; one that is killed at it is followed by another a minute later.
_BEGIN = """
INSERT INTO rota_promise_check AS known (id, begun_at, lasted, broken) VALUES (1, clock_timestamp(), interval '0', '{}')
ON CONFLICT (id) DO UPDATE SET begun_at = clock_timestamp()
WHERE known.begun_at <= clock_timestamp() - greatest(interval '60 s', 20 * known.lasted)
RETURNING begun_at
"""

# Unless somebody else has begun since, whose answer will be newer.
_NOTE = """
UPDATE rota_promise_check SET checked_at = begun_at, lasted = clock_timestamp() - begun_at, broken = %(broken)s::jsonb
WHERE id = 1 AND begun_at = %(begun_at)s
"""


def note_check(conn: Connection) -> bool:
    """Look at the whole queue and the last day of the history, and note what breaks a promise; see `check`.

    Return whether a look was due; of several schedulers one takes it. ``conn`` is in autocommit. Raises psycopg.Error.
    """
    row = conn.execute(_BEGIN).fetchone()
    if row is None:
        return False
    (begun_at,) = row
    broken = {word_of(promise): 0 for promise in PROMISES}
    for each in check(conn, since=begun_at - REACH, most=MOST_BROKEN):
        broken[word_of(each.promise)] += 1
    conn.execute(_NOTE, {"broken": json.dumps(broken), "begun_at": begun_at})
    return True
