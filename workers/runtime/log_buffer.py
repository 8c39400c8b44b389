"""LogBuffer: what one execution writes, until the worker's writer stores it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from scheduling.domain.clock import Clock
from workers.conf import WorkersConf
from workers.engine.claim import Claimed

#: The stream of the worker's own remarks, such as the mark of a cut.
NOTE = "note"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One row of the log."""

    execution_id: int
    scheduled_for: datetime
    namespace_id: int
    seq: int
    stream: str
    at: datetime
    body: str


class LogBuffer:
    """Gathers text into chunks; keeps the head and the tail of a log that is too long, and marks the cut.

    Writing never blocks on the database. Text is kept in memory until `take` hands it over, at most a head's
    surplus plus a tail; past the head, only the newest tail is kept until the end. `write` may be called from any
    thread; `take` from one at a time.
    """

    def __init__(self, claimed: Claimed, clock: Clock, conf: WorkersConf) -> None:
        self._claimed, self._clock, self._conf = claimed, clock, conf
        self._lock = threading.Lock()
        self._pending: list[tuple[str, datetime, list[str], int]] = []
        self._tail: deque[tuple[str, datetime, str, int]] = deque()
        self._seq = 0
        self._head_left = conf.log_head_bytes
        self._tail_bytes = 0
        self._cut_bytes = 0

    def write(self, stream: str, text: str) -> None:
        """Append ``text``, which PostgreSQL can store, to ``stream``."""
        limit = self._conf.log_chunk_bytes // 4
        for piece in (text[i : i + limit] for i in range(0, len(text), limit)):
            self._append(stream, piece)

    def take(self, *, final: bool = False) -> list[Chunk]:
        """Hand over what is to be stored now; with ``final`` everything, the tail included."""
        with self._lock:
            pending, self._pending = self._pending, []
            chunks = [self._chunk(stream, at, "".join(texts)) for stream, at, texts, _ in pending]
            if final:
                chunks.extend(self._take_tail())
        return chunks

    def _append(self, stream: str, text: str) -> None:
        size = len(text) if text.isascii() else len(text.encode())
        with self._lock:
            now = self._clock.now()
            if self._head_left < size:
                self._head_left = 0
                self._keep_in_tail(stream, now, text, size)
                return
            self._head_left -= size
            if self._pending:
                last_stream, at, texts, so_far = self._pending[-1]
                if last_stream == stream and so_far + size <= self._conf.log_chunk_bytes:
                    texts.append(text)
                    self._pending[-1] = (stream, at, texts, so_far + size)
                    return
            self._pending.append((stream, now, [text], size))

    def _keep_in_tail(self, stream: str, at: datetime, text: str, size: int) -> None:
        self._tail.append((stream, at, text, size))
        self._tail_bytes += size
        while self._tail_bytes > self._conf.log_tail_bytes and len(self._tail) > 1:
            _, _, _, dropped = self._tail.popleft()
            self._tail_bytes -= dropped
            self._cut_bytes += dropped

    def _take_tail(self) -> Iterator[Chunk]:
        if self._cut_bytes:
            yield self._chunk(NOTE, self._clock.now(), f"\n… {self._cut_bytes} bytes left out here …\n")
            self._cut_bytes = 0
        texts: list[str] = []
        stream, at, size = "", self._clock.now(), 0
        for next_stream, next_at, text, next_size in self._tail:
            if texts and (next_stream != stream or size + next_size > self._conf.log_chunk_bytes):
                yield self._chunk(stream, at, "".join(texts))
                texts, size = [], 0
            if not texts:
                stream, at = next_stream, next_at
            texts.append(text)
            size += next_size
        if texts:
            yield self._chunk(stream, at, "".join(texts))
        self._tail.clear()
        self._tail_bytes = 0

    def _chunk(self, stream: str, at: datetime, body: str) -> Chunk:
        claimed, seq = self._claimed, self._seq
        self._seq += 1
        return Chunk(claimed.lease_id, claimed.scheduled_for, claimed.namespace_id, seq, stream[:10], at, body)
