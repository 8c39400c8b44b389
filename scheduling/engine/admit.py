"""admit: the one gate through which every entry of a limited task passes, whoever made it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from scheduling.db import Connection, sql_file
from scheduling.domain.states import InstanceState, Reason
from scheduling.engine.end_unstarted import end_unstarted

_ADMIT = Path(__file__).parent / "sql" / "admit.sql"

#: The class of the advisory locks of admission; the task's id is the other half.
ADMISSION_LOCK = 0x41444D54

_SWEEP = "SELECT DISTINCT task_id FROM rota_queue_entry WHERE state = 2"


@dataclass(kw_only=True, slots=True)
class Admitted:
    """What one call of `admit` did."""

    ready: int = 0
    skipped: int = 0
    queues: set[str] = field(default_factory=set)


def admit(conn: Connection, task_ids: Collection[int]) -> Admitted:
    """Let waiting entries of ``task_ids`` through as far as their limits allow; end those that overlap.

    Lock and count are two statements on purpose: the second one's snapshot is taken after the lock was
    granted, so two admissions never count the same room. A limit is therefore never exceeded, and the
    claim need not know of limits at all. ``conn`` must be in autocommit, outside a transaction.
    """
    if not task_ids:
        return Admitted()
    ids = sorted(task_ids)
    with conn.transaction():
        conn.execute(
            "SELECT pg_advisory_xact_lock(%s, k) FROM unnest(%s::int[]) WITH ORDINALITY AS v (k, n) ORDER BY n",
            [ADMISSION_LOCK, ids],
        )
        rows = conn.execute(sql_file(_ADMIT), {"task_ids": ids}).fetchall()
        skipped = [(instance_id, moment) for kind, _, instance_id, moment in rows if kind == "skipped"]
        end_unstarted(
            conn,
            skipped,
            outcome=InstanceState.SKIPPED,
            reason=Reason.OVERLAP,
            message="An earlier instance of this task was unfinished.",
        )
    queues = {queue for kind, queue, _, _ in rows if kind == "ready"}
    return Admitted(ready=len(rows) - len(skipped), skipped=len(skipped), queues=queues)


def admit_waiting(conn: Connection) -> Admitted:
    """Admit for every task that has a waiting entry: repairs an admission whose process died before it."""
    return admit(conn, [row[0] for row in conn.execute(_SWEEP).fetchall()])
