"""enqueue: an instance that no trigger made: by hand, by API, by code, or run again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from scheduling.db import Connection, sql_file
from scheduling.domain.states import EntryState, Origin

_ENQUEUE = Path(__file__).parent / "sql" / "enqueue.sql"


@dataclass(frozen=True, kw_only=True, slots=True)
class Enqueued:
    """The new instance and how it stands in the queue."""

    instance_id: int
    scheduled_for: datetime
    state: EntryState
    queue: str
    #: What admission counts it by; None: nothing limits it.
    gate: int | None


def enqueue(
    conn: Connection,
    *,
    task_id: int,
    origin: Origin,
    scheduled_for: datetime | None = None,
    params: Mapping[str, Any] | None = None,
    triggered_by: int | None = None,
    rerun_of: int | None = None,
) -> Enqueued | None:
    """Insert one instance and its queue entry in the caller's transaction; None when the task is gone.

    ``scheduled_for`` in the future plans the run for then; None is now, by the database's clock. Its day must have
    a partition. ``params`` replace those of the task for this instance. A limited task's entry still has
    to pass `admit` after the caller's commit.
    """
    row = conn.execute(
        sql_file(_ENQUEUE),
        {
            "task_id": task_id,
            "scheduled_for": scheduled_for,
            "fire_key": f"{origin.value}:{uuid.uuid4()}",
            "origin": origin.value,
            "params": None if params is None else json.dumps(params),
            "triggered_by": triggered_by,
            "rerun_of": rerun_of,
        },
    ).fetchone()
    if row is None:
        return None
    return Enqueued(instance_id=row[0], scheduled_for=row[1], state=EntryState(row[2]), queue=row[3], gate=row[4])
