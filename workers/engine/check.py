"""check: are the promises about the queue kept? Read-only, one snapshot, one statement for each promise."""

from __future__ import annotations

from dataclasses import dataclass

from scheduling.db import Connection

#: Each promise as a sentence, and the statement that finds what breaks it: (id, detail) rows.
PROMISES: dict[str, str] = {
    "every unfinished instance is in the queue": """
        SELECT i.id, format('task %s, scheduled for %s', i.task_id, i.scheduled_for) FROM rota_instance i
        WHERE i.outcome IS NULL AND NOT EXISTS (SELECT FROM rota_queue_entry e WHERE e.instance_id = i.id)
    """,
    "everything in the queue is an unfinished instance": """
        SELECT e.instance_id, coalesce('the instance is ' || i.outcome, 'there is no such instance')
        FROM rota_queue_entry e
        LEFT JOIN rota_instance i ON i.id = e.instance_id AND i.scheduled_for = e.scheduled_for
        WHERE i.id IS NULL OR i.outcome IS NOT NULL
    """,
    "every running execution holds its instance's lease": """
        SELECT x.id, format('instance %s', x.instance_id) FROM rota_execution x
        WHERE x.state = 'running' AND NOT EXISTS (
            SELECT FROM rota_queue_entry e WHERE e.instance_id = x.instance_id AND e.lease_id = x.id)
    """,
    "every lease belongs to a running execution": """
        SELECT e.instance_id, format('lease %s, execution %s', e.lease_id, coalesce(x.state, 'missing'))
        FROM rota_queue_entry e
        LEFT JOIN rota_execution x ON x.id = e.lease_id AND x.scheduled_for = e.scheduled_for
        WHERE e.state = 1 AND x.state IS DISTINCT FROM 'running'
    """,
    "an instance succeeds at most once": """
        SELECT instance_id, format('%s executions succeeded', count(*)) FROM rota_execution
        WHERE state = 'succeeded' GROUP BY instance_id HAVING count(*) > 1
    """,
    "an instance that succeeded has an execution that did, and no other does": """
        SELECT i.id, format('instance %s, execution %s', i.outcome, coalesce(x.state, 'missing'))
        FROM rota_instance i
        LEFT JOIN rota_execution x ON x.id = i.last_execution_id AND x.scheduled_for = i.scheduled_for
        WHERE i.outcome IS NOT NULL AND (i.outcome = 'succeeded') <> (x.state IS NOT DISTINCT FROM 'succeeded')
    """,
    # Against the highest limit that any of them may have been admitted under: a limit that was lowered since holds for
    # what comes after. Tasks that share a gate may each have another one.
    "limits hold": """
        SELECT live.gate, format('%s admitted, limit %s', live.count, allowed.most) FROM (
            SELECT gate, count(*) FROM rota_queue_entry
            WHERE gate IS NOT NULL AND state IN (0, 1, 3, 5) GROUP BY gate HAVING count(*) > 1
        ) live CROSS JOIN LATERAL (
            SELECT max(coalesce((r.definition ->> 'max_running')::bigint,
                CASE r.definition ->> 'overlap' WHEN 'allow' THEN 2147483647 ELSE 1 END)) AS most
            FROM (SELECT task_id, min(task_version) AS version FROM rota_queue_entry
                  WHERE gate = live.gate AND state IN (0, 1, 3, 5) GROUP BY task_id) e
            JOIN rota_task_revision r ON r.task_id = e.task_id AND r.version >= e.version
        ) allowed WHERE live.count > allowed.most
    """,
    # What was queued before a pool shrank may hold more than it has now.
    "pools hold": """
        SELECT p.id, format('%s of %s slots taken', sum(least(e.pool_weight, p.slots)), p.slots)
        FROM rota_queue_entry e JOIN rota_pool p ON p.id = e.pool_id
        LEFT JOIN rota_instance i ON p.shrunk_at IS NOT NULL AND i.id = e.instance_id
            AND i.scheduled_for = e.scheduled_for
        WHERE e.pool_id IS NOT NULL AND e.state IN (0, 1, 3)
            AND (p.shrunk_at IS NULL OR i.created_at > p.shrunk_at)
        GROUP BY p.id, p.slots HAVING sum(least(e.pool_weight, p.slots)) > p.slots
    """,
    "a tick starts at most one instance": """
        SELECT min(id), format('task %s, scheduled for %s: %s instances', task_id, scheduled_for, count(*))
        FROM rota_instance WHERE origin = 'schedule' GROUP BY task_id, scheduled_for HAVING count(*) > 1
    """,
    "every task has a clock": """
        SELECT t.id, t.name FROM rota_task t
        WHERE NOT EXISTS (SELECT FROM rota_task_clock k WHERE k.task_id = t.id)
    """,
}

#: How many rows of one broken promise are shown.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Broken:
    """One row that breaks a promise."""

    promise: str
    row_id: int
    detail: str


def check(conn: Connection) -> list[Broken]:
    """Return what breaks a promise, at most `SHOWN` rows for each; an empty list when all are kept.

    All statements see one snapshot, so that work under way is never mistaken for a fault.
    """
    broken = []
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for promise, statement in PROMISES.items():
            rows = conn.execute(f"{statement} LIMIT {SHOWN}".encode()).fetchall()
            broken += [Broken(promise, row_id, detail) for row_id, detail in rows]
    return broken
