"""Recording what changes of schedules passed over: every scheduler looks, and one of them writes."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from typing import Final

from scheduling.db import Connection
from scheduling.domain.periods import Period, find_passed_over
from scheduling.domain.task_trigger import trigger_of_stored
from scheduling.engine.pass_over import Change, pass_over
from scheduling.runtime.maintainer import Chores

#: The name of the chore in the schedulers' log line, and by which a wake-up finds it.
PASSED_OVER = "passed over"

#: True while there is something to do, as an SQL expression.
TO_RECORD: Final = "EXISTS (SELECT FROM rota_schedule_period WHERE to_record)"

#: Changes that one call records.
BATCH = 200

#: How soon after a call the next edit is looked at, in seconds.
PAUSE_SECONDS = 0.25

_OPEN = "SELECT id, task_id FROM rota_schedule_period WHERE to_record ORDER BY id LIMIT %(limit)s"

# The periods of those tasks, back to the one whose beginning ended every tick before the undecided stretch.
_PERIODS = """
WITH open AS MATERIALIZED (
    SELECT task_id, min(id) AS earliest, max(id) AS last, min(undecided_after) AS since FROM rota_schedule_period
    WHERE id = ANY(%(ids)s) GROUP BY task_id
)
SELECT p.task_id, p.id, p.begins_at, p.took_over_at, p.enabled, p.version, p.undecided_after, p.to_record,
    r.definition::text
FROM open o
CROSS JOIN LATERAL (
    SELECT coalesce(max(f.id), 0) AS id FROM rota_schedule_period f
    WHERE f.task_id = o.task_id AND f.id < o.earliest AND f.took_over_at <= o.since
) first
JOIN rota_schedule_period p ON p.task_id = o.task_id AND p.id BETWEEN first.id AND o.last
LEFT JOIN rota_task_revision r ON r.task_id = p.task_id AND r.version = p.version
ORDER BY p.task_id, p.id
"""


def record_passed_over(conn: Connection, *, limit: int = BATCH) -> Chores:
    """Record what the oldest ``limit`` changes passed over.

    Costs one look into an empty index when nothing was changed.
    """
    found = conn.execute(_OPEN, {"limit": limit}).fetchall()
    if not found:
        return Chores()
    wanted = {row[0] for row in found}
    changes = []
    rows = conn.execute(_PERIODS, {"ids": list(wanted)}).fetchall()
    for task_id, group in groupby(rows, key=itemgetter(0)):
        mine = list(group)
        periods = [
            Period(
                begins_at=begins_at,
                took_over_at=took_over_at,
                enabled=enabled,
                version=version,
                undecided_after=undecided_after,
                to_record=to_record,
                trigger=None if definition is None else trigger_of_stored(task_id, json.loads(definition)),
            )
            for _, _, begins_at, took_over_at, enabled, version, undecided_after, to_record, definition in mine
        ]
        asked = [index for index, row in enumerate(mine) if row[1] in wanted]
        passed = find_passed_over(periods, asked)
        changes += [Change(mine[index][1], task_id, passed.get(index)) for index in asked]
    return Chores(count=pass_over(conn, changes), again_seconds=0.0 if len(found) == limit else None)
