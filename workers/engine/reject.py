"""reject: end instances that no worker anywhere could ever run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from scheduling.db import Connection
from scheduling.domain.states import InstanceState, Reason
from scheduling.engine.end_unstarted import end_unstarted
from workers.conf import conf

_TASKS = sql.SQL("""
SELECT t.id, t.handler FROM rota_task t
WHERE t.handler <> ALL({known}) AND t.handler <> ALL(ARRAY(
    SELECT unnest(known_handlers) FROM rota_node
    WHERE state <> 'stopped' AND last_seen_at > clock_timestamp() - make_interval(secs => {lease_seconds})
))
""")

_TAKE = """
WITH gone AS MATERIALIZED (
    SELECT e.instance_id FROM rota_queue_entry e
    WHERE e.state IN (0, 2, 5) AND e.handler = ANY(%(handlers)s) AND e.task_id = ANY(%(task_ids)s)
    ORDER BY e.instance_id LIMIT 500 FOR UPDATE SKIP LOCKED
)
DELETE FROM rota_queue_entry e WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM gone))
RETURNING e.instance_id, e.scheduled_for, e.gate, e.pool_id, e.handler
"""

_SOME_ORPHANS = sql.SQL("""EXISTS (SELECT FROM rota_queue_entry e
    WHERE e.state <> 1 AND NOT EXISTS (SELECT FROM rota_task t WHERE t.id = e.task_id))""")

_ORPHANS = """
WITH gone AS MATERIALIZED (
    SELECT e.instance_id FROM rota_queue_entry e
    WHERE e.state <> 1 AND NOT EXISTS (SELECT FROM rota_task t WHERE t.id = e.task_id)
    ORDER BY e.instance_id LIMIT 500 FOR UPDATE SKIP LOCKED
)
DELETE FROM rota_queue_entry e WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM gone))
RETURNING e.instance_id, e.scheduled_for, e.gate, e.pool_id
"""


@dataclass(kw_only=True, slots=True)
class Rejected:
    """What was ended here."""

    count: int = 0
    #: Gates and pools that got room.
    gates: set[int] = field(default_factory=set)
    pools: set[int] = field(default_factory=set)


def to_reject(known: Collection[str]) -> sql.Composed:
    """Return the SQL expression that is true when one of the two below may have work, which is nearly never."""
    return sql.SQL("EXISTS ({}) OR {}").format(_tasks_of_unknown_handlers(known), _SOME_ORPHANS)


def reject_unknown_handlers(conn: Connection, known: Collection[str]) -> Rejected:
    """Fail live instances whose handler is installed neither here (``known``) nor on any live node.

    A handler that some node has, but no worker was started with, is another matter: those instances wait.
    """
    tasks = conn.execute(_tasks_of_unknown_handlers(known)).fetchall()
    if not tasks:
        return Rejected()
    with conn.transaction():
        rows = conn.execute(
            _TAKE, {"task_ids": [row[0] for row in tasks], "handlers": sorted({row[1] for row in tasks})}
        ).fetchall()
        for handler in {row[4] for row in rows}:
            end_unstarted(
                conn,
                [(row[0], row[1]) for row in rows if row[4] == handler],
                outcome=InstanceState.FAILED,
                reason=Reason.UNKNOWN_HANDLER,
                message=f"No installed handler is called “{handler}”. Install the plug-in that brings it, "
                "or edit the task.",
            )
    return _rejected(rows)


def reject_deleted_tasks(conn: Connection) -> Rejected:
    """Cancel live instances whose task was deleted past the services."""
    with conn.transaction():
        rows = conn.execute(_ORPHANS).fetchall()
        end_unstarted(
            conn,
            [(row[0], row[1]) for row in rows],
            outcome=InstanceState.CANCELLED,
            reason=Reason.TASK_DELETED,
            message="The task was deleted before this instance ran.",
        )
    return _rejected(rows)


def _tasks_of_unknown_handlers(known: Collection[str]) -> sql.Composed:
    return _TASKS.format(known=sql.Literal(sorted(known)), lease_seconds=sql.Literal(conf().lease_seconds))


def _rejected(rows: Collection[tuple[Any, ...]]) -> Rejected:
    return Rejected(
        count=len(rows),
        gates={row[2] for row in rows if row[2] is not None},
        pools={row[3] for row in rows if row[3] is not None},
    )
