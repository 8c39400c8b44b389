"""EditedClocks: the clocks whose schedule was edited are planned, round by round, a batch at a time."""

from __future__ import annotations

from datetime import datetime

from scheduling.db import Connection
from scheduling.runtime.definitions import Definition, Definitions

# Each row is looked up by itself, whatever the statistics say: while very many are edited, the planner would rather
# join whole tables, anew for each batch. OFFSET and ANY leave it no other way.
_EDITED = """
SELECT k.task_id, k.planned_from, t.state FROM rota_task_clock k
CROSS JOIN LATERAL (SELECT t.xmin::text AS state FROM rota_task t WHERE t.id = k.task_id AND t.enabled OFFSET 0) t
WHERE k.dirty AND k.task_id > %(after)s ORDER BY k.task_id LIMIT %(limit)s
"""

_PLAN = """
WITH v AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::int[], %(seen)s::timestamptz[], %(planned)s::timestamptz[], %(errors)s::text[])
        AS v (task_id, seen, planned, error)
), mine AS MATERIALIZED (
    SELECT v.* FROM v CROSS JOIN LATERAL (
        SELECT FROM rota_task_clock k
        WHERE k.task_id = v.task_id AND k.dirty AND k.planned_from = v.seen FOR NO KEY UPDATE SKIP LOCKED
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

    @property
    def under_way(self) -> bool:
        """Whether a round has begun and not ended: what is edited now may already lie behind it."""
        return self._after > 0

    def plan(self, conn: Connection, *, limit: int = PLAN_BATCH) -> dict[int, datetime | None]:
        """Look at up to ``limit`` clocks, going on with the round or beginning one.

        Returns the next runs of those that were planned, by task. A tick that was due before the edit stays on its
        clock. A schedule that cannot be understood stops that task's clock, with the reason beside it.
        """
        rows = conn.execute(_EDITED, {"after": self._after, "limit": limit}).fetchall()
        # Noted before anything can fail: a batch that cannot be planned must not be tried for ever.
        self._after = rows[-1][0] if len(rows) == limit else 0
        if not rows:
            return {}
        self._definitions.learn(conn, [(row[0], row[2]) for row in rows])
        planned: list[datetime | None] = []
        errors: list[str] = []
        for task_id, planned_from, _ in rows:
            definition = self._definitions.get(task_id)
            if isinstance(definition, Definition):
                planned.append(definition.trigger.next_after(planned_from))
                errors.append("")
            else:
                planned.append(None)
                errors.append(str(definition))
        params = {"ids": [row[0] for row in rows], "seen": [row[1] for row in rows]}
        return dict(conn.execute(_PLAN, {**params, "planned": planned, "errors": errors}).fetchall())


def plan_edited(conn: Connection) -> int:
    """Plan some edited clocks, for whoever keeps no reader; return how many. See `EditedClocks.plan`."""
    return len(EditedClocks(Definitions()).plan(conn))
