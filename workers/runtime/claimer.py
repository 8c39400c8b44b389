"""Claimer: turns claims into jobs that a slot can run, and knows which leases this worker holds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import psycopg

from scheduling.db import Connection, close_quietly
from scheduling.engine.admit_waiting import admit_freed
from scheduling.kept_plans import keeping_connection
from scheduling.notify import Notifier
from workers.engine.claim import Claimed, claim
from workers.engine.give_back import GivenBack, give_back, give_back_forgotten
from workers.engine.nodes import Registration, leave
from workers.engine.reap import Reaped, reap
from workers.engine.watermark import Watermark
from workers.runtime.definitions import Definition, Definitions

logger = logging.getLogger(__name__)

_OWN_PARAMS = """
SELECT id, params FROM rota_instance
WHERE id = ANY(%(ids)s) AND scheduled_for = ANY(%(moments)s) AND scheduled_for BETWEEN %(lo)s AND %(hi)s
"""


@dataclass(frozen=True, slots=True)
class Job:
    """One leased instance with what its handler needs."""

    claimed: Claimed
    #: None when the task was deleted and left no revision.
    definition: Definition | None
    params: Mapping[str, Any]


class Claimer:
    """Claims on a connection of its own. One thread claims; any thread may tell that a lease is settled."""

    def __init__(
        self,
        *,
        registration: Registration,
        queues: Collection[str],
        handlers: Collection[str],
        notifier: Notifier,
    ) -> None:
        self._registration, self._queues, self._handlers = registration, queues, handlers
        self._notifier = notifier
        self._definitions = Definitions()
        self._watermark = Watermark()
        self._conn: Connection | None = None
        self._held: set[int] = set()
        self._lock = threading.Lock()

    def claim(self, slots: int) -> list[Job]:
        """Claim up to ``slots`` instances. Raises psycopg.Error; then `reconcile` before anything else."""
        conn = self._connection()
        claims, again = self._look(conn, slots)
        if again:
            claims += self._look(conn, slots - len(claims))[0]
        own = self._own_params(conn, [claimed for claimed in claims if claimed.own_params])
        definitions = self._definitions.get(conn, {(claimed.task_id, claimed.task_version) for claimed in claims})
        jobs = []
        for claimed in claims:
            definition = definitions.get((claimed.task_id, claimed.task_version))
            params = own.get(claimed.instance_id, definition.params if definition is not None else {})
            jobs.append(Job(claimed, definition, params))
        with self._lock:
            self._held.update(claimed.lease_id for claimed in claims)
        if claims:
            self._notifier.changed()
        return jobs

    def _look(self, conn: Connection, slots: int) -> tuple[list[Claimed], bool]:
        """Claim by one statement; return what there was, and whether another is due at once."""
        since, began = self._watermark.begin(), monotonic()
        claims = claim(
            conn,
            node_id=self._registration.node_id,
            incarnation=self._registration.incarnation,
            queues=self._queues,
            handlers=self._handlers,
            slots=slots,
            since=since,
        )
        return claims, self._watermark.claimed(claims, slots=slots, since=since, seconds=monotonic() - began)

    def settled(self, leases: Iterable[int]) -> None:
        """Take note that the database has heard of the end of ``leases``."""
        with self._lock:
            self._held.difference_update(leases)

    def reconcile(self) -> None:
        """Give back leases that the database says are ours and that we know nothing of.

        A claim whose answer was lost would otherwise be kept alive by our heartbeat for ever. Only the thread
        that claims may call this, so that no claim is under way. Raises psycopg.Error.
        """
        with self._lock:
            known = list(self._held)
        conn = self._connection()
        self._announce(conn, give_back_forgotten(conn, incarnation=self._registration.incarnation, known=known))

    def give_back(self, jobs: Sequence[Job]) -> None:
        """Return ``jobs`` to the queue; when the database is gone the reaper decides them later."""
        if not jobs:
            return
        try:
            conn = self._connection()
            self._announce(conn, give_back(conn, [job.claimed for job in jobs]))
        except psycopg.Error as error:
            logger.warning("worker: %s", str(error).strip(), extra={"action": "give_back"})
            self.disconnect()
        # Whether or not it was heard: what is not known to us is given back when we reconcile.
        self.settled(job.claimed.lease_id for job in jobs)

    def recover(self) -> Reaped:
        """Decide at once what the worker that had this node's name before has left. Raises psycopg.Error."""
        if self._registration.predecessor is None:
            return Reaped()
        reaped = reap(self._connection(), incarnation=self._registration.predecessor)
        self._notifier.queues(reaped.queues)
        return reaped

    def leave(self) -> None:
        """Mark the node as stopped, if that is possible."""
        try:
            leave(self._connection(), node_id=self._registration.node_id, incarnation=self._registration.incarnation)
        except psycopg.Error as error:
            logger.warning("worker: %s", str(error).strip(), extra={"action": "leave"})

    def disconnect(self) -> None:
        """Give the connection back; the next call opens it anew."""
        close_quietly(self._conn)
        self._conn = None

    def _announce(self, conn: Connection, given: GivenBack) -> None:
        self._notifier.queues(given.queues)
        admit_freed(conn, given.gates, given.pools).announce(self._notifier)

    def _connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = keeping_connection("worker claim")
        return self._conn

    def _own_params(self, conn: Connection, claims: Sequence[Claimed]) -> dict[int, Mapping[str, Any]]:
        if not claims:
            return {}
        moments = [claimed.scheduled_for for claimed in claims]
        rows = conn.execute(
            _OWN_PARAMS,
            {
                "ids": [claimed.instance_id for claimed in claims],
                "moments": moments,
                "lo": min(moments),
                "hi": max(moments),
            },
        ).fetchall()
        return dict(rows)
