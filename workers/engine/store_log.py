"""store_log: chunks of output become rows, by COPY."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from scheduling.db import Connection


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
    """Append ``chunks`` to the log in one COPY; all of them or none."""
    if not chunks:
        return
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "COPY rota_log_chunk (execution_id, scheduled_for, namespace_id, seq, stream, at, body) FROM STDIN"
        ) as copy,
    ):
        for c in chunks:
            copy.write_row((c.execution_id, c.scheduled_for, c.namespace_id, c.seq, c.stream, c.at, c.body))
