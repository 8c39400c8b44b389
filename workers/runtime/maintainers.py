"""The chores about workers that every scheduler does."""

from __future__ import annotations

from scheduling.db import Connection
from scheduling.domain.handlers import catalogue
from scheduling.runtime.maintainer import Chores, Maintainer
from workers.conf import conf
from workers.engine.reap import reap
from workers.engine.reject import reject_deleted_tasks, reject_unknown_handlers


def worker_maintainers() -> list[Maintainer]:
    """Return the chores, each idempotent."""
    return [
        Maintainer(name="reaped", every_seconds=conf().heartbeat_seconds, run=_reap),
        Maintainer(name="rejected", every_seconds=2 * conf().heartbeat_seconds, run=_reject),
    ]


def _reap(conn: Connection) -> Chores:
    reaped = reap(conn)
    return Chores(
        count=reaped.count,
        queues=reaped.queues,
        gates=reaped.gates,
        pools=reaped.pools,
        delayed=reaped.delayed > 0,
    )


def _reject(conn: Connection) -> Chores:
    unknown, deleted = reject_unknown_handlers(conn, catalogue.names()), reject_deleted_tasks(conn)
    return Chores(
        count=unknown.count + deleted.count,
        gates=unknown.gates | deleted.gates,
        pools=unknown.pools | deleted.pools,
    )
