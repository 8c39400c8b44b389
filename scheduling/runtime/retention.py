"""Retention: what is older than it shall be kept goes, whole days at a time; one scheduler does it, whichever."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg
from django.utils.module_loading import import_string

from scheduling.conf import SchedulingConf, conf
from scheduling.db import Connection, database_now, own_connection
from scheduling.domain.retention import Ages, Keeping, Verdict, judge
from scheduling.engine.drop_partition import StillLive, StillRead, drop_partition, restore_partition
from scheduling.engine.forget import forget_definitions, forget_run_keys, forget_statistics
from scheduling.engine.history_days import HistoryDay, Partition, history_days, written_at
from scheduling.engine.partitions import bounds_of

logger = logging.getLogger(__name__)

#: Held by whoever drops partitions, for as long as that takes.
RETENTION_LOCK = 0x52455441

#: A day's tables in the order in which they go: no row is left whose parent is gone.
ORDER = ("rota_log_chunk", "rota_execution", "rota_instance")

_LONGEST = """
SELECT name, timeout_seconds FROM rota_task WHERE timeout_seconds IS NOT NULL ORDER BY timeout_seconds DESC LIMIT 1
"""

#: partition, history table, (first moment, first moment after it), a connection in autocommit
ArchiveHook = Callable[[str, str, tuple[datetime, datetime], Connection], object]


class AnotherIsDropping(Exception):
    """A scheduler, or another command, is dropping partitions at this moment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One partition and what is to become of it."""

    partition: Partition
    verdict: Verdict
    live: int


def ages_of(settings: SchedulingConf) -> Ages:
    """Return how long everything is kept."""
    return Ages.of(
        history_days=settings.RETENTION_DAYS,
        log_days=settings.LOG_RETENTION_DAYS,
        statistics_days=settings.STATISTICS_DAYS,
        definition_days=settings.DEFINITION_DAYS,
    )


def judge_partitions(conn: Connection, ages: Ages, now: datetime) -> list[Judged]:
    """Return every partition with its verdict, oldest day first, those of a day in the order in which they go."""
    judged = []
    for day in history_days(conn):
        ends_at = bounds_of(day.day)[1]
        # Looked up only where it can matter.
        newest = _newest(conn, day, ages, ends_at, now)
        for table in ORDER:
            if (partition := day.partitions.get(table)) is None:
                continue
            keep = ages.logs if table == "rota_log_chunk" else ages.history
            verdict = judge(ends_at=ends_at, now=now, keep=keep, live=day.live, written_at=newest)
            judged.append(Judged(partition=partition, verdict=verdict, live=day.live))
    return judged


def _newest(conn: Connection, day: HistoryDay, ages: Ages, ends_at: datetime, now: datetime) -> datetime | None:
    shortest = min((age for age in (ages.history, ages.logs) if age is not None), default=None)
    return written_at(conn, day) if shortest is not None and ends_at + shortest <= now else None


def longest_run_sentence(conn: Connection, ages: Ages) -> str:
    """Return a sentence when some task may run for longer than the history is kept; it is then kept until that ends."""
    row = conn.execute(_LONGEST).fetchone()
    if row is None or ages.history is None or timedelta(seconds=row[1]) <= ages.history:
        return ""
    return (
        f"the task “{row[0]}” may run for {timedelta(seconds=row[1])}, which is longer than the history is kept "
        f"({ages.history.days} days); a day stays until everything of it has ended"
    )


@contextmanager
def sole_dropper() -> Iterator[None]:
    """Be the only one who drops partitions; raises AnotherIsDropping.

    The lock lives with a transaction on a connection of its own, so that it holds behind a pooler as well, and is
    gone with us.
    """
    conn = own_connection("retention lock", statement_timeout_seconds=0)
    try:
        with conn.transaction():
            row = conn.execute("SELECT pg_try_advisory_xact_lock(%s)", [RETENTION_LOCK]).fetchone()
            if row is None or not row[0]:
                raise AnotherIsDropping
            # The server may end idle transactions. And the answer above held a snapshot until the next statement, for
            # which our own detaching would wait.
            conn.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield
    finally:
        conn.close()


def keep_retention(settings: SchedulingConf | None = None) -> int:
    """Drop and forget everything that is past its age; return how many partitions were dropped.

    Does nothing when somebody else is at it. What cannot go now is said in the log and tried again next time. Raises
    psycopg.Error when the database is gone.
    """
    settings = settings or conf()
    ages = ages_of(settings)
    conn = own_connection("retention", statement_timeout_seconds=0)
    try:
        with sole_dropper():
            now = database_now(conn)
            if sentence := longest_run_sentence(conn, ages):
                logger.warning("retention: %s", sentence, extra={"action": "retention"})
            judged = judge_partitions(conn, ages, now)
            for each in judged:
                if each.verdict.keeping is Keeping.LIVE:
                    _say_live(each.partition, each.live)
            dropped = drop_judged(conn, judged, archive_hook(settings))
            _forget(conn, ages, now)
            return dropped
    except AnotherIsDropping:
        return 0
    finally:
        conn.close()


def drop_judged(conn: Connection, judged: list[Judged], archive: ArchiveHook | None) -> int:
    """Drop those of the partitions that may go, and put back those that were left half-way; return how many went.

    Each is handed to ``archive`` first. When that raises, the partition and what is left of its day stay.
    """
    dropped = 0
    stuck: set[str] = set()
    kept_days: set[date] = set()
    # Of each table one can be half-way, and nothing else of it can be taken out before.
    for each in sorted(judged, key=lambda each: not each.partition.detaching):
        partition = each.partition
        if partition.table in stuck:
            continue
        try:
            if not each.verdict.may_go:
                if partition.detaching or not partition.attached:
                    restore_partition(conn, partition)
                continue
            if partition.day in kept_days:
                continue
            if archive is not None and not _archived(conn, partition, archive):
                kept_days.add(partition.day)
                continue
            drop_partition(conn, partition)
        except StillLive as error:
            _say_live(partition, error.count)
            kept_days.add(partition.day)
        except StillRead:
            logger.warning(
                "retention: %s cannot be dropped yet: somebody has been reading the history in one transaction for a "
                "long time; it is tried again",
                partition.name,
                extra={"action": "retention"},
            )
            stuck.add(partition.table)
            kept_days.add(partition.day)
        except psycopg.Error as error:
            if conn.broken or conn.closed:
                raise
            # One that somebody has made a view of, say, or holds locked: the others do not stay for it.
            logger.error(
                "retention: %s cannot be dropped: %s; it is tried again, and the rest of its day stays until then",
                partition.name,
                str(error).strip(),
                extra={"action": "retention"},
            )
            if partition.detaching:
                stuck.add(partition.table)
            kept_days.add(partition.day)
        else:
            logger.info("retention: dropped %s", partition.name, extra={"action": "retention"})
            dropped += 1
    return dropped


def archive_hook(settings: SchedulingConf) -> ArchiveHook | None:
    """Return the function that ARCHIVE_PARTITION names, if it names one. Raises ImportError."""
    if not settings.ARCHIVE_PARTITION:
        return None
    hook: ArchiveHook = import_string(settings.ARCHIVE_PARTITION)
    return hook


def _archived(conn: Connection, partition: Partition, archive: ArchiveHook) -> bool:
    try:
        archive(partition.name, partition.table, bounds_of(partition.day), conn)
    except Exception:
        logger.exception(
            "retention: %s stays, because it could not be archived; it is tried again",
            partition.name,
            extra={"action": "archive"},
        )
        return False
    return True


def _say_live(partition: Partition, count: int) -> None:
    logger.warning(
        "retention: %s stays although it is past its age: %d of the instances of that day have not ended",
        partition.name,
        count,
        extra={"action": "retention"},
    )


def _forget(conn: Connection, ages: Ages, now: datetime) -> None:
    forgotten = {
        "run keys": forget_run_keys(conn, before=now - ages.history) if ages.history else 0,
        "revisions and periods": forget_definitions(conn, before=now - ages.definitions) if ages.definitions else 0,
        "statistics": forget_statistics(conn, before=(now - ages.statistics).astimezone(UTC)) if ages.statistics else 0,
    }
    for what, count in forgotten.items():
        if count:
            logger.info("retention: forgot %d %s", count, what, extra={"action": "retention"})
