"""How full pools are: what their instances take, and what waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scheduling.db import callers_connection
from scheduling.models import Pool

#: Counting what waits stops here: whoever has more knows enough.
ENOUGH = 1000

_SQL = """
SELECT p.id,
    (SELECT coalesce(sum(CASE p.slots WHEN 0 THEN e.pool_weight ELSE least(e.pool_weight, p.slots) END), 0)
     FROM rota_queue_entry e WHERE e.pool_id = p.id AND e.state IN (0, 1, 3)),
    (SELECT count(*) FROM (SELECT 1 FROM rota_queue_entry e WHERE e.pool_id = p.id AND e.state = 5 LIMIT %s) w)
FROM rota_pool p WHERE p.id = ANY(%s::int[])
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolUse:
    """The slots of one pool, and how many instances wait for them."""

    slots: int
    used: int
    waiting: int

    @property
    def free(self) -> int:
        """How many slots are free; none when more are used than there are, since the pool became smaller."""
        return max(self.slots - self.used, 0)


def pool_use(pools: Iterable[Pool]) -> dict[int, PoolUse]:
    """Return how full each of ``pools`` is, by its id, with one query; ``waiting`` counts up to ENOUGH + 1."""
    slots = {pool.pk: pool.slots for pool in pools}
    if not slots:
        return {}
    rows = callers_connection().execute(_SQL, [ENOUGH + 1, list(slots)]).fetchall()
    return {pk: PoolUse(slots=slots[pk], used=used, waiting=waiting) for pk, used, waiting in rows}
