"""pass_over: what a change of a schedule passed over becomes a skipped instance, once, whoever else tries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from scheduling.db import Connection, sql_file
from scheduling.domain.periods import PassedOver
from scheduling.engine.partitions import create_partitions, days_of, forget_known_partitions, is_missing_partition

_PASS_OVER = Path(__file__).parent / "sql" / "pass_over.sql"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a task's schedule, by the id of the period that it opened, and what it passed over, if anything."""

    period_id: int
    task_id: int
    passed: PassedOver | None


def pass_over(conn: Connection, changes: Sequence[Change]) -> int:
    """Record ``changes``, each at most once; return how many instances were made.

    One that another scheduler has recorded or is recording is left alone. A day without a partition gets one.
    ``conn`` must be in autocommit.
    """
    if not changes:
        return 0
    passed = [each.passed for each in changes]
    params = {
        "period_ids": [each.period_id for each in changes],
        "task_ids": [each.task_id for each in changes],
        "versions": [None if each is None else each.version for each in passed],
        "moments": [None if each is None else each.at for each in passed],
        "reasons": [None if each is None else each.reason.value for each in passed],
        "counts": [None if each is None else each.count for each in passed],
        "since": [None if each is None else each.since for each in passed],
        "messages": [None if each is None else each.message for each in passed],
    }
    try:
        return conn.execute(sql_file(_PASS_OVER), params).rowcount
    except psycopg.errors.CheckViolation as error:
        if not is_missing_partition(error):
            raise
        forget_known_partitions()
        create_partitions(conn, days_of(each.at for each in passed if each is not None))
        return conn.execute(sql_file(_PASS_OVER), params).rowcount
