"""Writer: one thread and one connection that store logs and reports, as fast as the database answers.

Single-flight: while one statement is under way the next batch gathers, so a lone result is written at once and a
thousand a second cost a few statements. Results are kept until the database has acknowledged them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg

from scheduling.db import CLOCK_CHANNEL, Connection, close_quietly
from scheduling.engine.admit_waiting import admit_freed
from scheduling.kept_plans import keeping_connection
from scheduling.notify import ENTRIES, Notifier
from scheduling.runtime.watchdog import CONNECTING_SECONDS, Watch
from workers.conf import WorkersConf
from workers.domain.states import ExecutionState
from workers.engine.complete import Completed, Report, complete
from workers.engine.store_log import store_log
from workers.runtime.held_entries import AGAIN_SECONDS, LOCK_TIMEOUT, held_among
from workers.runtime.log_buffer import Chunk, LogBuffer
from workers.runtime.log_pushes import LogPushes

logger = logging.getLogger(__name__)

#: The most reports in one statement.
BATCH = 500

#: Above so many unacknowledged reports the worker claims nothing more.
BACK_PRESSURE = 2000

#: For so long (seconds) reports are tried in smaller and smaller batches while locks are in their way; then those that
#: are left are put aside, since somebody has locked more than a few rows.
SORTING_SECONDS = 3.0

#: How soon (seconds) a log that somebody has locked is tried again.
LOG_AGAIN_SECONDS = 2.0

#: Classes of SQLSTATE that are about the data: exceptions of data, constraints, unsupported features, limits of size.
_ABOUT_DATA = {"22", "23", "0A", "54"}


@dataclass(frozen=True, slots=True)
class Ended:
    """One ended attempt: its report, and the log that goes before it."""

    report: Report
    log: LogBuffer


class Writer:
    """Stores the live logs of running executions, and the reports of ended ones."""

    def __init__(
        self,
        *,
        conf: WorkersConf,
        notifier: Notifier,
        on_written: Callable[[Sequence[Report], Completed], None],
        watch: Watch,
    ) -> None:
        self._watch = watch
        self._conf, self._notifier, self._on_written = conf, notifier, on_written
        self._ended: deque[Ended] = deque()
        self._live: dict[int, LogBuffer] = {}
        self._changed = threading.Condition()
        self._waiting = False
        self._in_flight = 0
        self._closing = False
        self._dropped = False
        self._conn: Connection | None = None
        self._unstored: list[Chunk] = []
        self._pushes = LogPushes()
        #: Of the batch that is under way, by lease: what the database has not acknowledged.
        self._unwritten: dict[int, Report] = {}
        #: By lease: reports of entries that somebody else has locked.
        self._held: dict[int, Report] = {}
        self._held_again_at = self._log_again_at = 0.0
        self._sorting_ends_at = 0.0
        self._thread = threading.Thread(target=self._run, name="rota-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def follow(self, lease_id: int, log: LogBuffer) -> None:
        """Store ``log`` piece by piece while its execution runs."""
        self._live[lease_id] = log

    def ended(self, ended: Ended) -> None:
        """Take the report of an ended attempt; it is kept until the database has it."""
        self._live.pop(ended.report.lease_id, None)
        self._ended.append(ended)
        # Taking the lock for each of ten thousand a second would be felt. The thread says that it waits before it
        # looks for the last time, so either it sees this one or we see that it waits.
        if self._waiting:
            with self._changed:
                self._waiting = False
                self._changed.notify_all()

    def drop(self) -> int:
        """Forget every report that has not been written: the leases are lost, and others decide. Return how many."""
        with self._changed:
            dropped = self.backlog
            self._dropped = True
            self._ended.clear()
            self._live.clear()
            self._held = {}
        return dropped

    @property
    def backlog(self) -> int:
        """How many reports the database has not acknowledged yet."""
        return len(self._ended) + self._in_flight + len(self._held)

    @property
    def alive(self) -> bool:
        """Whether the thread is at work; a worker without its writer must not go on."""
        return self._thread.is_alive()

    def wait_written(self, timeout: float) -> bool:
        """Wait until the database has every report, ``timeout`` seconds at most; tell whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.backlog, timeout)

    def close(self, timeout: float) -> bool:
        """Write what is left, then end the thread; False when that took longer than ``timeout`` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = 0.2
        batch: list[Ended] = []
        while True:
            self._watch.turned(rest=self._conf.log_flush_seconds)
            if not batch:
                with self._changed:
                    self._waiting = True
                    self._changed.wait_for(lambda: self._ended or self._closing, self._conf.log_flush_seconds)
                    self._waiting = False
                    if self._closing and not self._ended:
                        if not self._held:
                            break
                        self._changed.wait(self._conf.log_flush_seconds)
                    batch = [self._ended.popleft() for _ in range(min(BATCH, len(self._ended)))]
                    self._in_flight = len(batch)
                    self._unwritten = {ended.report.lease_id: ended.report for ended in batch}
                    live = list(self._live.copy().values())
                self._unstored += [chunk for log in live for chunk in log.take()]
                self._unstored += [chunk for ended in batch for chunk in ended.log.take(final=True)]
            try:
                self._write(batch)
            except psycopg.Error as error:
                logger.warning("writer: %s", str(error).strip(), extra={"action": "database_lost"})
                close_quietly(self._conn)
                self._conn = None
                self._watch.turned(rest=pause + CONNECTING_SECONDS)
                with self._changed:
                    if self._dropped:
                        batch, self._unstored, self._in_flight = [], [], 0
                        self._changed.notify_all()
                    if (closing := self._closing) and not batch and not self._held:
                        break
                    self._changed.wait_for(lambda: self._closing is not closing, pause)
                pause = min(pause * 2, 5.0)
                continue
            pause = 0.2
            batch = []
            with self._changed:
                self._in_flight = 0
                self._changed.notify_all()
        self._watch.end()
        self._store_rest()
        close_quietly(self._conn)
        self._pushes.close()

    def _store_rest(self) -> None:
        """Try once more to store a log that was held up; nobody else has it."""
        self._log_again_at = 0.0
        if self._unstored and self._conn is not None:
            with suppress(psycopg.Error):
                self._store_log(self._conn)

    def _write(self, batch: Sequence[Ended]) -> None:
        if not batch and not self._unstored and not self._held:
            return
        if self._conn is None or self._conn.closed:
            self._conn = keeping_connection("worker writer")
            self._conn.execute(LOCK_TIMEOUT)
        self._store_log(self._conn)
        self._sorting_ends_at = time.monotonic() + SORTING_SECONDS
        self._try_held(self._conn)
        self._complete(self._conn, list(self._unwritten.values()))

    def _try_held(self, conn: Connection) -> None:
        """Write the reports of those held entries that are free now."""
        if not self._held or time.monotonic() < self._held_again_at:
            return
        self._held_again_at = time.monotonic() + AGAIN_SECONDS
        waiting = list(self._held.values())
        held = held_among(conn, [report.instance_id for report in waiting])
        self._complete(conn, [report for report in waiting if report.instance_id not in held])

    def _store_log(self, conn: Connection) -> None:
        if time.monotonic() < self._log_again_at:
            return
        try:
            store_log(conn, self._unstored)
            self._pushes.stored({chunk.execution_id for chunk in self._unstored})
        except psycopg.errors.LockNotAvailable:
            # It is kept, and no result waits for it.
            self._log_again_at = time.monotonic() + LOG_AGAIN_SECONDS
            logger.warning("the log waits: somebody holds its table locked", extra={"action": "log_held"})
            return
        except (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout):
            # The session is lost; the log is stored over the next one.
            raise
        except psycopg.Error as error:
            # A log must never keep a result from being written.
            logger.error("log not stored: %s", str(error).strip(), extra={"action": "store_log"})
        self._unstored = []

    def _complete(self, conn: Connection, reports: Sequence[Report]) -> None:
        """Write reports; when the database refuses one of them, find it by halving and fail it alone."""
        if not reports:
            return
        # Each try may wait for a lock, and one batch may need many.
        self._watch.turned(rest=self._conf.log_flush_seconds)
        try:
            done = complete(conn, reports)
        except psycopg.errors.LockNotAvailable:
            self._go_around(conn, reports)
        except psycopg.Error as error:
            if conn.closed or not _may_be_a_report(error, len(reports)):
                raise
            self._halve(conn, reports, error)
        else:
            for report in reports:
                self._unwritten.pop(report.lease_id, None)
                self._held.pop(report.lease_id, None)
            self._after(conn, reports, done)

    def _go_around(self, conn: Connection, reports: Sequence[Report]) -> None:
        """Put aside the reports of entries that somebody holds locked, and write the others."""
        held = held_among(conn, [report.instance_id for report in reports])
        if not held and len(reports) > 1 and time.monotonic() < self._sorting_ends_at:
            # It is not the entry that is locked, but its execution or its instance.
            middle = len(reports) // 2
            self._complete(conn, reports[:middle])
            self._complete(conn, reports[middle:])
            return
        aside = [report for report in reports if not held or report.instance_id in held]
        for report in aside:
            if report.lease_id not in self._held:
                logger.warning(
                    "the report of execution %s waits: somebody holds its rows locked",
                    report.lease_id,
                    extra={"action": "report_held"},
                )
            self._held[report.lease_id] = report
            self._unwritten.pop(report.lease_id, None)
        self._complete(conn, [report for report in reports if report not in aside])

    def _halve(self, conn: Connection, reports: Sequence[Report], error: psycopg.Error) -> None:
        if len(reports) > 1:
            middle = len(reports) // 2
            self._complete(conn, reports[:middle])
            self._complete(conn, reports[middle:])
            return
        (report,) = reports
        said = str(error).strip().splitlines()[0]
        if report.result is None and report.reason == "result_unstorable":
            # Not even that much can be stored. The reaper decides about it; the others must not wait for it.
            logger.error("report not stored: %s", said, extra={"action": "complete"})
            self._unwritten.pop(report.lease_id, None)
            self._held.pop(report.lease_id, None)
            return
        unstorable = replace(
            report,
            state=ExecutionState.FAILED,
            reason="result_unstorable",
            message=f"The database could not store the result: {said}",
            result=None,
            retry_seconds=None,
        )
        self._complete(conn, [unstorable])

    def _after(self, conn: Connection, reports: Sequence[Report], done: Completed) -> None:
        self._on_written(reports, done)
        self._pushes.stored(report.lease_id for report in reports)
        self._notifier.changed()
        if done.retries:
            self._notifier.send(CLOCK_CHANNEL, [ENTRIES])
        admit_freed(conn, done.gates, done.pools).announce(self._notifier)


def _may_be_a_report(error: psycopg.Error, reports: int) -> bool:
    """Whether the database refused what a report says, rather than being unable to take any report at this moment.

    A full disk, a server that stops, a standby that took the address over, a statement that was cancelled: then
    everybody waits, and no result is to blame.
    """
    if error.sqlstate is None:
        return not isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    if error.sqlstate[:2] in _ABOUT_DATA:
        return True
    return isinstance(error, psycopg.errors.DeadlockDetected) and reports > 1
