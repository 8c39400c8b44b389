"""check: are the promises about the queue kept? Read-only, one snapshot, one statement for each promise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from scheduling.db import Connection

#: Each promise as a sentence, and the statement that finds what breaks it: (id, detail) rows.
#: {i_since} and {x_since} stand for the bound of the history that is looked at, as a condition on i or x.
#: OFFSET 0 has each entry of the queue looked up by its key, in the one day that it may be in; the planner would rather
#: join the queue to the whole history.
PROMISES: dict[str, str] = {
    "every unfinished instance is in the queue": """
        SELECT i.id, format('task %s, scheduled for %s', i.task_id, i.scheduled_for) FROM rota_instance i
        WHERE i.outcome IS NULL AND {i_since}
            AND NOT EXISTS (SELECT FROM rota_queue_entry e WHERE e.instance_id = i.id)
    """,
    "everything in the queue is an unfinished instance": """
        SELECT e.instance_id, coalesce('the instance is ' || i.outcome, 'there is no such instance')
        FROM rota_queue_entry e
        LEFT JOIN LATERAL (
            SELECT id, outcome FROM rota_instance WHERE id = e.instance_id AND scheduled_for = e.scheduled_for OFFSET 0
        ) i ON true
        WHERE i.id IS NULL OR i.outcome IS NOT NULL
    """,
    "every running execution holds its instance's lease": """
        SELECT x.id, format('instance %s', x.instance_id) FROM rota_execution x
        WHERE x.state = 'running' AND {x_since} AND NOT EXISTS (
            SELECT FROM rota_queue_entry e WHERE e.instance_id = x.instance_id AND e.lease_id = x.id)
    """,
    "every lease belongs to a running execution": """
        SELECT e.instance_id, format('lease %s, execution %s', e.lease_id, coalesce(x.state, 'missing'))
        FROM rota_queue_entry e
        LEFT JOIN LATERAL (
            SELECT state FROM rota_execution WHERE id = e.lease_id AND scheduled_for = e.scheduled_for OFFSET 0
        ) x ON true
        WHERE e.state = 1 AND x.state IS DISTINCT FROM 'running'
    """,
    # An execution carries the moment of its instance, so both are in partitions of the same day.
    "an instance succeeds at most once": """
        SELECT x.instance_id, format('%s executions succeeded', count(*)) FROM rota_execution x
        WHERE x.state = 'succeeded' AND {x_since} GROUP BY x.instance_id, x.scheduled_for HAVING count(*) > 1
    """,
    "an instance that succeeded has an execution that did, and no other does": """
        SELECT i.id, format('instance %s, execution %s', i.outcome, coalesce(x.state, 'missing'))
        FROM rota_instance i
        LEFT JOIN rota_execution x
            ON x.id = i.last_execution_id AND x.scheduled_for = i.scheduled_for AND {x_since}
        WHERE i.outcome IS NOT NULL AND {i_since}
            AND (i.outcome = 'succeeded') <> (x.state IS NOT DISTINCT FROM 'succeeded')
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
        SELECT min(i.id), format('task %s, scheduled for %s: %s instances', i.task_id, i.scheduled_for, count(*))
        FROM rota_instance i WHERE i.origin = 'schedule' AND {i_since}
        GROUP BY i.task_id, i.scheduled_for HAVING count(*) > 1
    """,
    "every task has a clock": """
        SELECT t.id, t.name FROM rota_task t
        WHERE NOT EXISTS (SELECT FROM rota_task_clock k WHERE k.task_id = t.id)
    """,
}

#: How many rows of one broken promise are shown.
SHOWN = 20

#: Each day of the history is joined and counted by itself, in memory, and nothing is compiled for it.
_SETTINGS = """
SELECT set_config('enable_partitionwise_join', 'on', true), set_config('enable_partitionwise_aggregate', 'on', true),
    set_config('jit', 'off', true), set_config('work_mem', '64MB', true)
"""


@dataclass(frozen=True, slots=True)
class Broken:
    """One row that breaks a promise."""

    promise: str
    row_id: int
    detail: str


def word_of(promise: str) -> str:
    """Return a promise as one word for machines: ``an_instance_succeeds_at_most_once``."""
    return re.sub(r"[^a-z]+", "_", promise.lower().replace("'s", "")).strip("_")


def check(conn: Connection, *, since: datetime | None = None, most: int = SHOWN) -> list[Broken]:
    """Return what breaks a promise, at most ``most`` rows for each; an empty list when all are kept.

    The queue and the definitions are looked at as a whole; of the history, what was scheduled for ``since`` or
    later (aware; None: all of it). All statements see one snapshot, so that work under way is never mistaken for
    a fault.
    """
    broken = []
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        conn.execute(_SETTINGS)
        for promise, statement in PROMISES.items():
            rows = conn.execute(f"{_bounded(statement, since)} LIMIT {most}".encode()).fetchall()
            broken += [Broken(promise, row_id, detail) for row_id, detail in rows]
    return broken


def _bounded(statement: str, since: datetime | None) -> str:
    """Return the statement with a constant bound, from which the planner leaves out the partitions before it."""
    for alias in ("i", "x"):
        bound = "true" if since is None else f"{alias}.scheduled_for >= '{since.isoformat()}'::timestamptz"
        statement = statement.replace(f"{{{alias}_since}}", bound)
    return statement
