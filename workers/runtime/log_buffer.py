"""LogBuffer: what one execution writes, until the worker's writer stores it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO

from scheduling.domain.clock import Clock
from workers.conf import WorkersConf
from workers.engine.claim import Claimed

#: The stream of the worker's own remarks, such as the mark of a cut.
NOTE = "note"

#: The most rows of a tail, for output that changes its stream with every word.
MOST_TAIL_BLOCKS = 10_000


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


@dataclass(slots=True)
class _Block:
    """What will be one row: text of one stream, gathered since ``at``."""

    stream: str
    at: datetime
    #: Bytes of UTF-8.
    size: int = 0
    #: One growing text: a list of a million single characters would take fifty times its length.
    text: StringIO = field(default_factory=StringIO)


class LogBuffer:
    """Gathers text into chunks; keeps the head and the tail of a log that is too long, and marks the cut.

    Writing never blocks on the database. Text is kept in memory until `take` hands it over, at most a head's
    surplus plus a tail; past the head, only the newest tail is kept until the end. What it costs to write does not
    depend on what was written before. `write` may be called from any thread; `take` from one at a time.
    """

    def __init__(self, claimed: Claimed, clock: Clock, conf: WorkersConf) -> None:
        self._claimed, self._clock, self._conf = claimed, clock, conf
        self._lock = threading.Lock()
        self._pending: deque[_Block] = deque()
        self._tail: deque[_Block] = deque()
        # The tail is dropped block by block, so its blocks are a fraction of it.
        self._tail_block_bytes = max(1, min(conf.log_chunk_bytes, conf.log_tail_bytes // 8))
        self._seq = 0
        self._head_left = conf.log_head_bytes
        self._tail_bytes = 0
        self._cut_bytes = 0
        # Whoever follows the log was told that nothing more comes until the end.
        self._told = False

    def write(self, stream: str, text: str) -> None:
        """Append ``text``, which PostgreSQL can store, to ``stream``."""
        # A character has four bytes at most.
        limit = max(1, self._conf.log_chunk_bytes // 4)
        now = self._clock.now()
        with self._lock:
            if len(text) <= limit:
                self._append(stream, now, text)
            else:
                for start in range(0, len(text), limit):
                    self._append(stream, now, text[start : start + limit])

    def take(self, *, final: bool = False) -> list[Chunk]:
        """Hand over what is to be stored now; with ``final`` everything, the tail included.

        When the head is full, a note says so to whoever follows the log; notes have moments that keep those of the
        chunks in order.
        """
        with self._lock:
            blocks, self._pending = self._pending, deque()
            chunks = [self._chunk(block.stream, block.at, block.text.getvalue()) for block in blocks]
            if self._tail and not final and not self._told:
                self._told = True
                head, tail = self._conf.log_head_bytes, self._conf.log_tail_bytes
                told = (
                    f"\n… after {head} bytes: of what follows, the last {tail} bytes come with the end of the task …\n"
                )
                chunks.append(self._chunk(NOTE, self._tail[0].at, told))
            if final:
                if self._cut_bytes:
                    mark = f"\n… {self._cut_bytes} bytes left out here …\n"
                    chunks.append(self._chunk(NOTE, self._tail[0].at, mark))
                chunks.extend(self._chunk(block.stream, block.at, block.text.getvalue()) for block in self._tail)
                self._tail.clear()
                self._tail_bytes = self._cut_bytes = 0
        return chunks

    def _append(self, stream: str, now: datetime, text: str) -> None:
        size = len(text) if text.isascii() else len(text.encode())
        if not size:
            return
        if size <= self._head_left:
            self._head_left -= size
            _add(self._pending, stream, now, text, size, self._conf.log_chunk_bytes)
            return
        self._head_left = 0
        _add(self._tail, stream, now, text, size, self._tail_block_bytes)
        self._tail_bytes += size
        while len(self._tail) > 1 and (
            self._tail_bytes - self._tail[0].size >= self._conf.log_tail_bytes or len(self._tail) > MOST_TAIL_BLOCKS
        ):
            dropped = self._tail.popleft().size
            self._tail_bytes -= dropped
            self._cut_bytes += dropped

    def _chunk(self, stream: str, at: datetime, body: str) -> Chunk:
        claimed, seq = self._claimed, self._seq
        self._seq += 1
        return Chunk(claimed.lease_id, claimed.scheduled_for, claimed.namespace_id, seq, stream[:10], at, body)


def _add(blocks: deque[_Block], stream: str, now: datetime, text: str, size: int, most: int) -> None:
    """Append to the last of ``blocks`` if it is of this stream and has room for it, else begin another."""
    last = blocks[-1] if blocks else None
    if last is None or last.stream != stream or last.size + size > most:
        last = _Block(stream, now)
        blocks.append(last)
    last.text.write(text)
    last.size += size
