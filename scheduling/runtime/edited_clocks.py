"""EditedClocks: the clocks whose schedule was edited are planned, round by round, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from scheduling.db import Connection
from scheduling.runtime.definitions import Definition, Definitions

# Each row is looked up by itself, whatever the statistics say: while very many are edited, the planner would rather
# join whole tables, anew for each batch. OFFSET and ANY leave it no other way.
_EDITED = """
SELECT k.task_id, k.planned_from, t.state, k.xmin::text FROM rota_task_clock k
CROSS JOIN LATERAL (SELECT t.xmin::text AS state FROM rota_task t WHERE t.id = k.task_id AND t.enabled OFFSET 0) t
WHERE k.dirty AND k.task_id > %(after)s ORDER BY k.task_id LIMIT %(limit)s
"""

# Another edit since is found by the state of the row; `planned_from` may be the same after it.
_PLAN = """
WITH v AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::int[], %(seen)s::text[], %(planned)s::timestamptz[], %(errors)s::text[])
        AS v (task_id, seen, planned, error)
), mine AS MATERIALIZED (
    SELECT v.* FROM v CROSS JOIN LATERAL (
        SELECT FROM rota_task_clock k
        WHERE k.task_id = v.task_id AND k.dirty AND k.xmin::text = v.seen FOR NO KEY UPDATE SKIP LOCKED
    ) k
)
UPDATE rota_task_clock k
SET dirty = false, next_run_at = coalesce(k.next_run_at, mine.planned), error = mine.error
FROM mine WHERE k.task_id = ANY(ARRAY[mine.task_id])
RETURNING k.task_id, k.next_run_at
"""

#: How many clocks are planned in one statement. What is due meanwhile waits for no more than that.
PLAN_BATCH = 500


class EditedClocks:
    """Plans edited clocks; used by one thread.

    A round goes through the tasks once, in the order of their ids: what another transaction is editing just now is
    passed over and found by a later round, and what was planned before is not walked past again.
    """

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._after = 0
        #: Whether there were clocks in this round, or in the last one, that somebody else was at.
        self.left_some = False

    @property
    def under_way(self) -> bool:
        """Whether a round has begun and not ended: what is edited now may already lie behind it."""
        return self._after > 0

    def plan(self, conn: Connection, *, limit: int = PLAN_BATCH) -> dict[int, datetime | None]:
        """Look at up to ``limit`` clocks, going on with the round or beginning one.

        Returns the next runs of those that were planned, by task. A tick that was due before the edit stays on its
        clock. A schedule that cannot be understood stops that task's clock, with the reason beside it.
        """
        left_some = self.left_some and self.under_way
        rows = conn.execute(_EDITED, {"after": self._after, "limit": limit}).fetchall()
        # Before anything can fail: a batch that cannot be planned must not be tried for ever.
        self._after = rows[-1][0] if rows else 0
        planned = self._plan(conn, rows) if rows else {}
        self.left_some = left_some or len(planned) < len(rows)
        if len(rows) < limit:
            self._after = 0
        return planned

    def _plan(self, conn: Connection, rows: Sequence[Sequence[Any]]) -> dict[int, datetime | None]:
        self._definitions.learn(conn, [(row[0], row[2]) for row in rows])
        ids, seen, errors = [], [], []
        planned: list[datetime | None] = []
        for task_id, planned_from, _, state in rows:
            definition = self._definitions.get(task_id)
            if definition is None:
                # Deleted meanwhile.
                continue
            ids.append(task_id)
            seen.append(state)
            if isinstance(definition, Definition):
                planned.append(definition.trigger.next_after(planned_from))
                errors.append("")
            else:
                planned.append(None)
                errors.append(str(definition))
        params = {"ids": ids, "seen": seen, "planned": planned, "errors": errors}
        return dict(conn.execute(_PLAN, params).fetchall())


def plan_edited(conn: Connection) -> int:
    """Plan some edited clocks, for whoever keeps no reader; return how many. See `EditedClocks.plan`."""
    return len(EditedClocks(Definitions()).plan(conn))
