"""The log of one execution: nothing doubled, nothing lost but what the cap cuts, and the cut is marked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

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


@dataclass(frozen=True)
class CalledClock:
    """Tells the moment that a function gives."""

    now: Callable[[], datetime]


def buffer(*, clock: Callable[[], datetime] = lambda: MOMENT, **over: object) -> LogBuffer:
    return LogBuffer(CLAIMED, CalledClock(clock), replace(CONF, **over))  # type: ignore[arg-type] # a test's shorthand


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
    chunks = log.take(final=True)
    whole = "".join(chunk.body for chunk in chunks)
    assert whole.startswith("".join(lines[:80]))
    assert whole.endswith("".join(lines[-40:]))
    (note,) = [chunk for chunk in chunks if chunk.stream == NOTE]
    cut = sum(len(line) for line in lines) - len(text_of(chunks, "stdout"))
    assert f"{cut} bytes left out" in note.body
    assert len(text_of(chunks, "stdout")) <= 1000 + 500 + 64


def test_a_log_that_goes_on_past_its_head_says_once_that_the_rest_comes_at_the_end_and_its_moments_are_in_order() -> (
    None
):
    seconds = count()
    log = buffer(clock=lambda: MOMENT + timedelta(seconds=next(seconds)))
    chunks: list[Chunk] = []
    for _ in range(3):
        for number in range(100):
            log.write("stdout", f"line {number:05}\n")
        chunks += log.take()
    assert ["last 500 bytes come with the end" in chunk.body for chunk in chunks if chunk.stream == NOTE] == [True]
    assert chunks[-1].stream == NOTE
    chunks += log.take(final=True)
    assert [chunk.at for chunk in chunks] == sorted(chunk.at for chunk in chunks)
    assert "bytes left out" in [chunk.body for chunk in chunks if chunk.stream == NOTE][-1]


def test_taking_twice_gives_nothing_twice() -> None:
    log = buffer()
    log.write("stdout", "once")
    assert [chunk.body for chunk in log.take()] == ["once"]
    assert log.take(final=True) == []
