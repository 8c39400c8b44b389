"""The line before a gate or a pool: who holds a place there, and who stands before one that waits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from scheduling.db import callers_connection
from scheduling.domain.states import STATE_OF_ENTRY, EntryState, InstanceState
from scheduling.models import QueueEntry

#: So many of those that hold a place are named.
NAMED_HOLDERS = 10

#: Counting those that wait before it stops here.
MOST_COUNTED = 1000

#: These hold their weight in their pool.
IN_POOL = (EntryState.READY, EntryState.RUNNING, EntryState.DELAYED)
#: These are through their gate, and counted there.
ADMITTED = (*IN_POOL, EntryState.POOLED)

# The states are written into the text, as the partial indexes have them.
_SQL = """
WITH holding AS (
    SELECT instance_id, task_id, state, claimed_at AS place, cancel_requested_at FROM rota_queue_entry
    WHERE {same} AND state IN ({held})
),
waiting AS (
    SELECT instance_id, task_id, state, sort_key AS place FROM rota_queue_entry
    WHERE {same} AND state = {waits} AND (sort_key, instance_id) < (%(sort_key)s, %(instance)s)
    ORDER BY sort_key, instance_id LIMIT %(most)s
),
named AS (
    (SELECT 0 AS rank, instance_id, task_id, state, place FROM holding WHERE instance_id <> %(instance)s
     ORDER BY place, instance_id LIMIT %(named)s)
    UNION ALL
    (SELECT 1, instance_id, task_id, state, place FROM waiting ORDER BY place, instance_id LIMIT %(named)s)
)
SELECT (SELECT count(*) FROM holding WHERE instance_id <> %(instance)s), (SELECT count(*) FROM waiting),
    (SELECT count(*) FROM holding WHERE cancel_requested_at IS NOT NULL),
    (SELECT coalesce(jsonb_agg(jsonb_build_array(n.instance_id, coalesce(t.name, '#' || n.task_id), n.state)
                               ORDER BY n.rank, n.place, n.instance_id), '[]')::text
     FROM (SELECT * FROM named ORDER BY rank, place, instance_id LIMIT %(named)s) n
         LEFT JOIN rota_task t ON t.id = n.task_id)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """An instance that holds a place which another one waits for, or stands before it in the line."""

    instance_id: int
    task: str
    state: InstanceState


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """How many others hold a place, how many stand before the one that asks (counted to MOST_COUNTED + 1).

    ``told_to_stop`` is how many of the holders were; ``holders`` are the first of both, those with a place first.
    """

    live: int
    ahead: int
    told_to_stop: int
    holders: Sequence[Holder]

    @property
    def more(self) -> int:
        """How many there are beside those that are named."""
        return max(self.live + self.ahead - len(self.holders), 0)


def line_before(
    entry: QueueEntry, same: Mapping[str, int], *, held: Sequence[EntryState], waits: EntryState = EntryState.WAITING
) -> Line:
    """Return the line of the entries whose columns equal ``same``, as ``entry`` sees it, with one query.

    ``held`` are the states that have a place, ``waits`` is the one that waits for it.
    """
    where = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value)) for column, value in same.items()
    )
    query = sql.SQL(_SQL).format(
        same=where,
        held=sql.SQL(", ").join(sql.Literal(int(state)) for state in held),
        waits=sql.Literal(int(waits)),
    )
    row = (
        callers_connection()
        .execute(
            query,
            {
                "sort_key": entry.sort_key,
                "instance": entry.pk,
                "most": MOST_COUNTED + 1,
                "named": NAMED_HOLDERS,
            },
        )
        .fetchone()
    )
    assert row is not None  # noqa: S101 - a SELECT of expressions has one row
    holders = [
        Holder(instance_id=pk, task=task, state=STATE_OF_ENTRY[EntryState(state)])
        for pk, task, state in json.loads(row[3])
    ]
    return Line(live=row[0], ahead=row[1], told_to_stop=row[2], holders=holders)
