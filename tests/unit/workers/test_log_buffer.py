"""The log of one execution: nothing doubled, nothing lost but what the cap cuts, and the cut is marked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.conf import WorkersConf
from workers.engine.claim import Claimed
from workers.runtime.log_buffer import NOTE, Chunk, LogBuffer

pytestmark = pytest.mark.unit

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CLAIMED = Claimed(1, 2, MOMENT, 3, 4, 1, "shell", 1, 0, 0, 1, None, False, MOMENT)
CONF = WorkersConf(
    heartbeat_seconds=5,
    lease_seconds=20,
    fence_seconds=15,
    deadline_slack_seconds=30,
    max_losses=3,
    poll_seconds=1,
    drain_seconds=30,
    kill_wait_seconds=12,
    log_flush_seconds=0.3,
    log_chunk_bytes=64,
    log_head_bytes=1000,
    log_tail_bytes=500,
)


class FixedClock:
    """Always the same moment."""

    def now(self) -> datetime:
        return MOMENT


def buffer(**over: object) -> LogBuffer:
    return LogBuffer(CLAIMED, FixedClock(), replace(CONF, **over))  # type: ignore[arg-type] # a test's shorthand


def text_of(chunks: list[Chunk], stream: str) -> str:
    return "".join(chunk.body for chunk in chunks if chunk.stream == stream)


@given(
    writes=st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr"]),
            # What a handler context hands over: no NUL, no lone surrogates.
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_what_fits_is_stored_whole_in_order_in_chunks_that_are_not_too_large(
    writes: list[tuple[str, str, bool]],
) -> None:
    log = buffer(log_head_bytes=1_000_000)
    chunks: list[Chunk] = []
    for stream, text, take in writes:
        log.write(stream, text)
        if take:
            chunks += log.take()
    chunks += log.take(final=True)
    assert [chunk.seq for chunk in chunks] == list(range(len(chunks)))
    assert all(0 < len(chunk.body.encode()) <= 64 for chunk in chunks)
    for stream in ("stdout", "stderr"):
        assert text_of(chunks, stream) == "".join(text for name, text, _ in writes if name == stream)


def test_a_log_that_is_too_long_keeps_head_and_tail_and_marks_the_cut() -> None:
    log = buffer()
    lines = [f"line {number:05}\n" for number in range(1000)]
    for line in lines:
        log.write("stdout", line)
    chunks = log.take() + log.take(final=True)
    whole = "".join(chunk.body for chunk in chunks)
    assert whole.startswith("".join(lines[:80]))
    assert whole.endswith("".join(lines[-40:]))
    (note,) = [chunk for chunk in chunks if chunk.stream == NOTE]
    cut = sum(len(line) for line in lines) - len(text_of(chunks, "stdout"))
    assert f"{cut} bytes left out" in note.body
    assert len(text_of(chunks, "stdout")) <= 1000 + 500 + 64


def test_taking_twice_gives_nothing_twice() -> None:
    log = buffer()
    log.write("stdout", "once")
    assert [chunk.body for chunk in log.take()] == ["once"]
    assert log.take(final=True) == []
