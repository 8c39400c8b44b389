"""Lines of a log, whatever its chunks: counted and searched as if it were one text for each stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.log_lines import LineCounter, search

pytestmark = pytest.mark.unit

Chunks = list[tuple[str, str]]
chunks = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("ab\nA", min_size=1, max_size=6)), max_size=12
)


def lines_of(given_chunks: Chunks) -> list[tuple[str, str]]:
    """The lines, found the slow way: character by character."""
    lines: list[tuple[str, str]] = []
    begun = False
    for stream, body in given_chunks:
        for character in body:
            if not begun or lines[-1][0] != stream:
                lines.append((stream, ""))
            begun = character != "\n"
            if begun:
                lines[-1] = (stream, lines[-1][1] + character)
    return lines


@given(chunks)
def test_each_chunk_begins_in_the_line_that_its_first_character_is_in(given_chunks: Chunks) -> None:
    counter = LineCounter()
    for place, (stream, body) in enumerate(given_chunks):
        first = counter.add(stream, body.count("\n"), not body.endswith("\n"))
        assert first == len(lines_of([*given_chunks[:place], (stream, body[0])])) - 1
    assert counter.total == len(lines_of(given_chunks))


@given(chunks, st.text("abA", min_size=1, max_size=4), st.sampled_from([None, "stdout", "stderr"]))
def test_a_text_is_found_in_exactly_the_lines_that_hold_it(given_chunks: Chunks, text: str, stream: str | None) -> None:
    expected = [
        number
        for number, (name, line) in enumerate(lines_of(given_chunks))
        if text.lower() in line.lower() and stream in (None, name)
    ]
    found = search(given_chunks, text, stream=stream, most=3)
    assert (found.lines, found.total) == (expected[:3], len(expected))


def test_colours_do_not_hide_a_word() -> None:
    assert search([("stdout", "a \x1b[31mr\x1b[1med\x1b[0m word\n")], "red word").lines == [0]
