"""The chores about workers that every scheduler does."""

from __future__ import annotations

from scheduling.conf import conf as scheduling_conf
from scheduling.db import Connection, database_now
from scheduling.domain.handlers import catalogue
from scheduling.runtime.background import Background, on_a_connection
from scheduling.runtime.maintainer import Chores, Maintainer
from scheduling.runtime.retention import ages_of
from workers.conf import conf
from workers.engine.forget_nodes import forget_nodes
from workers.engine.note_check import LOOK_IS_DUE, note_check
from workers.engine.reap import reap, to_reap
from workers.engine.reject import reject_deleted_tasks, reject_unknown_handlers, to_reject

#: How often nodes are looked for that are gone for as long as the history is kept.
FORGET_SECONDS = 3600.0
#: How often it is asked whether a look at the promises is due; other chores ask as often, and it is one question.
CHECK_EVERY_SECONDS = 5.0


def worker_maintainers() -> list[Maintainer]:
    """Return the chores, each idempotent."""
    return [
        Maintainer(name="reaped", every_seconds=conf().heartbeat_seconds, run=_reap, needed=to_reap()),
        Maintainer(
            name="rejected",
            every_seconds=2 * conf().heartbeat_seconds,
            run=_reject,
            needed=to_reject(catalogue.names()),
        ),
        Maintainer(name="nodes forgotten", every_seconds=FORGET_SECONDS, run=_forget_nodes),
        Background("checked", on_a_connection("promises", note_check)).maintainer(
            CHECK_EVERY_SECONDS, needed=LOOK_IS_DUE
        ),
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


def _forget_nodes(conn: Connection) -> Chores:
    kept = ages_of(scheduling_conf()).history
    return Chores(count=0 if kept is None else forget_nodes(conn, before=database_now(conn) - kept))


def _reject(conn: Connection) -> Chores:
    unknown, deleted = reject_unknown_handlers(conn, catalogue.names()), reject_deleted_tasks(conn)
    return Chores(
        count=unknown.count + deleted.count,
        gates=unknown.gates | deleted.gates,
        pools=unknown.pools | deleted.pools,
    )
