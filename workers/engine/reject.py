"""reject: end instances that no worker anywhere could ever run."""

from __future__ import annotations

from collections.abc import Collection

from scheduling.db import Connection
from scheduling.domain.states import InstanceState, Reason
from scheduling.engine.end_unstarted import end_unstarted
from workers.conf import conf

_TASKS = """
SELECT t.id, t.handler FROM rota_task t
WHERE t.handler <> ALL(%(known)s) AND t.handler <> ALL(ARRAY(
    SELECT unnest(known_handlers) FROM rota_node
    WHERE state <> 'stopped' AND last_seen_at > clock_timestamp() - make_interval(secs => %(lease_seconds)s)
))
"""

_TAKE = """
WITH gone AS MATERIALIZED (
    SELECT e.instance_id FROM rota_queue_entry e
    WHERE e.state IN (0, 2) AND e.handler = ANY(%(handlers)s) AND e.task_id = ANY(%(task_ids)s)
    ORDER BY e.instance_id LIMIT 500 FOR UPDATE SKIP LOCKED
)
DELETE FROM rota_queue_entry e WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM gone))
RETURNING e.instance_id, e.scheduled_for, e.handler
"""

_ORPHANS = """
WITH gone AS MATERIALIZED (
    SELECT e.instance_id FROM rota_queue_entry e
    WHERE e.state <> 1 AND NOT EXISTS (SELECT FROM rota_task t WHERE t.id = e.task_id)
    ORDER BY e.instance_id LIMIT 500 FOR UPDATE SKIP LOCKED
)
DELETE FROM rota_queue_entry e WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM gone))
RETURNING e.instance_id, e.scheduled_for
"""


def reject_unknown_handlers(conn: Connection, known: Collection[str]) -> int:
    """Fail live instances whose handler is installed neither here (``known``) nor on any live node.

    A handler that some node has, but no worker was started with, is another matter: those instances wait.
    Returns how many instances were ended.
    """
    tasks = conn.execute(_TASKS, {"known": list(known), "lease_seconds": conf().lease_seconds}).fetchall()
    if not tasks:
        return 0
    with conn.transaction():
        rows = conn.execute(
            _TAKE, {"task_ids": [row[0] for row in tasks], "handlers": sorted({row[1] for row in tasks})}
        ).fetchall()
        for handler in {row[2] for row in rows}:
            end_unstarted(
                conn,
                [(row[0], row[1]) for row in rows if row[2] == handler],
                outcome=InstanceState.FAILED,
                reason=Reason.UNKNOWN_HANDLER,
                message=f"No installed handler is called “{handler}”. Install the plug-in that brings it, "
                "or edit the task.",
            )
    return len(rows)


def reject_deleted_tasks(conn: Connection) -> int:
    """Cancel live instances whose task was deleted past the services; return how many were ended."""
    with conn.transaction():
        rows = conn.execute(_ORPHANS).fetchall()
        end_unstarted(
            conn,
            rows,
            outcome=InstanceState.CANCELLED,
            reason=Reason.TASK_DELETED,
            message="The task was deleted before this instance ran.",
        )
    return len(rows)
