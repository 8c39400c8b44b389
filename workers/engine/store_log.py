"""store_log: chunks of output become rows, by COPY."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import psycopg

from scheduling.db import Connection
from scheduling.engine.partitions import create_partitions, days_of, forget_known_partitions, is_missing_partition


class Row(Protocol):
    """What a chunk must tell."""

    @property
    def execution_id(self) -> int: ...
    @property
    def scheduled_for(self) -> datetime: ...
    @property
    def namespace_id(self) -> int: ...
    @property
    def seq(self) -> int: ...
    @property
    def stream(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def body(self) -> str: ...


def store_log(conn: Connection, chunks: Sequence[Row]) -> None:
    """Append ``chunks`` to the log in one COPY; all of them or none.

    A day whose partition was dropped, because logs are kept for a shorter time than the rest, gets one again; for
    that ``conn`` must be in autocommit.
    """
    if not chunks:
        return
    try:
        _copy(conn, chunks)
    except psycopg.errors.CheckViolation as error:
        if not is_missing_partition(error):
            raise
        forget_known_partitions()
        create_partitions(conn, days_of(chunk.scheduled_for for chunk in chunks))
        _copy(conn, chunks)


def _copy(conn: Connection, chunks: Sequence[Row]) -> None:
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "COPY rota_log_chunk (execution_id, scheduled_for, namespace_id, seq, stream, at, body) FROM STDIN"
        ) as copy,
    ):
        for c in chunks:
            copy.write_row((c.execution_id, c.scheduled_for, c.namespace_id, c.seq, c.stream, c.at, c.body))
