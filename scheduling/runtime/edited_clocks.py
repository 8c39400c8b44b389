"""EditedClocks: the clocks whose schedule was edited are planned, round by round, a batch at a time."""

from __future__ import annotations

from datetime import datetime

from scheduling.db import Connection
from scheduling.runtime.definitions import Definition, Definitions

_EDITED = """
SELECT k.task_id, k.planned_from, t.xmin::text FROM rota_task_clock k JOIN rota_task t ON t.id = k.task_id
WHERE k.dirty AND t.enabled AND k.task_id > %(after)s ORDER BY k.task_id LIMIT %(limit)s
"""

_PLAN = """
WITH v AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::int[], %(seen)s::timestamptz[], %(planned)s::timestamptz[], %(errors)s::text[])
        AS v (task_id, seen, planned, error)
), mine AS MATERIALIZED (
    SELECT k.task_id FROM rota_task_clock k JOIN v USING (task_id)
    WHERE k.dirty AND k.planned_from = v.seen ORDER BY k.task_id FOR NO KEY UPDATE OF k SKIP LOCKED
)
UPDATE rota_task_clock k
SET dirty = false, next_run_at = coalesce(k.next_run_at, v.planned), error = v.error
FROM v JOIN mine USING (task_id) WHERE k.task_id = v.task_id
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

    def plan(self, conn: Connection, *, limit: int = PLAN_BATCH) -> int:
        """Plan up to ``limit`` clocks, going on with the round or beginning one; return how many were looked at.

        A tick that was due before the edit stays on its clock. A schedule that cannot be understood stops that
        task's clock, with the reason beside it.
        """
        rows = conn.execute(_EDITED, {"after": self._after, "limit": limit}).fetchall()
        # Noted before anything can fail: a batch that cannot be planned must not be tried for ever.
        self._after = rows[-1][0] if len(rows) == limit else 0
        if not rows:
            return 0
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
        conn.execute(
            _PLAN,
            {"ids": [row[0] for row in rows], "seen": [row[1] for row in rows], "planned": planned, "errors": errors},
        )
        return len(rows)


def plan_edited(conn: Connection) -> int:
    """Plan some edited clocks, for whoever keeps no reader; see `EditedClocks.plan`."""
    return EditedClocks(Definitions()).plan(conn)
