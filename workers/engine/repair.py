"""repair: put right what `check` found broken, where there is only one right way.

Each row is locked first and looked at again in a later statement, whose snapshot is newer than the lock; so what work
under way has settled meanwhile is left alone. What might be right in two ways is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from scheduling.db import Connection
from scheduling.domain.states import InstanceState, Reason
from scheduling.engine.end_unstarted import end_unstarted
from workers.conf import conf
from workers.engine.check import Broken

#: Rows in one transaction.
BATCH = 500

_LOCK_ENTRIES = "SELECT FROM rota_queue_entry WHERE instance_id = ANY(%s) ORDER BY instance_id FOR UPDATE"
_LOCK_INSTANCES = "SELECT FROM rota_instance WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_LOCK_EXECUTIONS = "SELECT FROM rota_execution WHERE id = ANY(%s) ORDER BY id FOR UPDATE"

_ENTRIES_OF_NOTHING = """
DELETE FROM rota_queue_entry e
WHERE e.instance_id = ANY(%s) AND NOT EXISTS (
    SELECT FROM rota_instance i
    WHERE i.id = e.instance_id AND i.scheduled_for = e.scheduled_for AND i.outcome IS NULL)
RETURNING e.instance_id
"""

_EXECUTIONS_WITHOUT_LEASE = """
UPDATE rota_execution x
SET state = 'lost', reason = %(reason)s, message = %(message)s, finished_at = clock_timestamp()
WHERE x.id = ANY(%(ids)s) AND x.state = 'running' AND NOT EXISTS (
    SELECT FROM rota_queue_entry e WHERE e.instance_id = x.instance_id AND e.lease_id = x.id)
RETURNING x.id
"""

_LEASES_OF_NOTHING = """
SELECT e.instance_id, e.scheduled_for, e.lease_id, CASE
    WHEN x.state = 'succeeded' THEN 'ambiguous'
    WHEN e.cancel_requested_at IS NOT NULL THEN 'cancelled'
    WHEN t.id IS NULL OR t.on_worker_lost = 'fail' OR e.losses >= %(max_losses)s THEN 'failed'
    ELSE 'again' END
FROM rota_queue_entry e
LEFT JOIN LATERAL (
    SELECT state FROM rota_execution WHERE id = e.lease_id AND scheduled_for = e.scheduled_for
) x ON true
LEFT JOIN rota_task t ON t.id = e.task_id
WHERE e.instance_id = ANY(%(ids)s) AND e.state = 1 AND x.state IS DISTINCT FROM 'running'
ORDER BY e.instance_id
"""

_AGAIN = """
UPDATE rota_queue_entry
SET state = 0, lease_id = NULL, holder = NULL, claimed_at = NULL, deadline_at = NULL, losses = losses + 1
WHERE instance_id = ANY(%s)
"""

_LEFT_BEHIND = """
SELECT i.id, i.scheduled_for, EXISTS (
    SELECT FROM rota_execution x
    WHERE x.instance_id = i.id AND x.scheduled_for = i.scheduled_for AND x.state IN ('succeeded', 'running'))
FROM rota_instance i
WHERE i.id = ANY(%s) AND i.outcome IS NULL
    AND NOT EXISTS (SELECT FROM rota_queue_entry e WHERE e.instance_id = i.id)
ORDER BY i.id
"""

_CLOCKS = """
INSERT INTO rota_task_clock (task_id, planned_from, dirty)
SELECT id, clock_timestamp(), enabled FROM rota_task WHERE id = ANY(%s)
ON CONFLICT (task_id) DO NOTHING RETURNING task_id
"""

_LOST = "Nothing held it any more; checkqueue ended it."
_ENDED = "Its place in the queue was missing; checkqueue ended it. Nobody knows how much of it was done."
_UNLEASED = "Its lease belonged to no running execution; checkqueue ended it."


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about one row, or why nothing was."""

    promise: str
    row_id: int
    done: bool
    what: str


#: Takes the ids of broken rows; returns (id, done, what) for each that is still broken.
Fix = Callable[[Connection, Sequence[int]], list[tuple[int, bool, str]]]


def repair(conn: Connection, broken: Iterable[Broken], *, dry_run: bool = False) -> list[Repair]:
    """Put right what is ``broken``, as far as that is safe, in transactions of `BATCH` rows; return a line for each.

    Rows that are right again by now are missing from the answer. ``dry_run`` does the same and rolls it back.
    """
    by_promise: dict[str, list[int]] = {}
    for row in broken:
        by_promise.setdefault(row.promise, []).append(row.row_id)
    repairs = []
    # In this order: an entry that goes leaves a running execution behind, and what has no entry is looked at last.
    for promise, fix in FIXES.items():
        ids = sorted(by_promise.pop(promise, []))
        for start in range(0, len(ids), BATCH):
            with conn.transaction(force_rollback=dry_run):
                repairs += [Repair(promise, *row) for row in fix(conn, ids[start : start + BATCH])]
    for promise, ids in by_promise.items():
        repairs += [Repair(promise, row_id, False, "left alone: more than one answer could be right") for row_id in ids]
    return repairs


def _remove_entries(conn: Connection, ids: Sequence[int]) -> list[tuple[int, bool, str]]:
    conn.execute(_LOCK_ENTRIES, [ids])
    rows = conn.execute(_ENTRIES_OF_NOTHING, [ids]).fetchall()
    return [(row[0], True, "removed from the queue") for row in rows]


def _lose_executions(conn: Connection, ids: Sequence[int]) -> list[tuple[int, bool, str]]:
    conn.execute(_LOCK_EXECUTIONS, [ids])
    values = {"ids": ids, "reason": Reason.REPAIRED.value, "message": _LOST}
    rows = conn.execute(_EXECUTIONS_WITHOUT_LEASE, values).fetchall()
    return [(row[0], True, "the execution is lost") for row in rows]


def _free_leases(conn: Connection, ids: Sequence[int]) -> list[tuple[int, bool, str]]:
    conn.execute(_LOCK_ENTRIES, [ids])
    rows = conn.execute(_LEASES_OF_NOTHING, {"ids": ids, "max_losses": conf().max_losses}).fetchall()
    again = [row[0] for row in rows if row[3] == "again"]
    conn.execute(_AGAIN, [again])
    done = [(row_id, True, "given back to the queue") for row_id in again]
    for outcome in (InstanceState.CANCELLED, InstanceState.FAILED):
        ended = [(row[0], row[1]) for row in rows if row[3] == outcome.value]
        conn.execute("DELETE FROM rota_queue_entry WHERE instance_id = ANY(%s)", [[row_id for row_id, _ in ended]])
        end_unstarted(conn, ended, outcome=outcome, reason=Reason.REPAIRED, message=_UNLEASED)
        done += [(row_id, True, f"the instance is {outcome.value}") for row_id, _ in ended]
    left = "left alone: its execution succeeded"
    return done + [(row[0], False, left) for row in rows if row[3] == "ambiguous"]


def _end_instances(conn: Connection, ids: Sequence[int]) -> list[tuple[int, bool, str]]:
    conn.execute(_LOCK_INSTANCES, [ids])
    rows = conn.execute(_LEFT_BEHIND, [ids]).fetchall()
    ended = [(row[0], row[1]) for row in rows if not row[2]]
    end_unstarted(conn, ended, outcome=InstanceState.FAILED, reason=Reason.REPAIRED, message=_ENDED)
    done = [(row_id, True, "the instance is failed") for row_id, _ in ended]
    left = "left alone: one of its executions succeeded or runs"
    return done + [(row[0], False, left) for row in rows if row[2]]


def _make_clocks(conn: Connection, ids: Sequence[int]) -> list[tuple[int, bool, str]]:
    rows = conn.execute(_CLOCKS, [ids]).fetchall()
    return [(row[0], True, "planned anew from now") for row in rows]


FIXES: dict[str, Fix] = {
    "everything in the queue is an unfinished instance": _remove_entries,
    "every running execution holds its instance's lease": _lose_executions,
    "every lease belongs to a running execution": _free_leases,
    "every unfinished instance is in the queue": _end_instances,
    "every task has a clock": _make_clocks,
}
