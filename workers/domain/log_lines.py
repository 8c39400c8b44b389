"""Lines of a log whose chunks end anywhere: where each chunk begins, and where a text is found.

A line ends at a newline, or where another stream writes before it was ended. So the number of a line depends only on
what was stored before it, and never changes while the log grows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

#: Colours and cursor movements of a terminal (ECMA-48), which nobody searches for.
CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")


@dataclass(slots=True)
class LineCounter:
    """Counts the lines of chunks as they come; lines are numbered from 0."""

    #: The line that the next text of the same stream would go to.
    line: int = 0
    _stream: str | None = None
    _unended: bool = False

    def begin(self, stream: str) -> tuple[int, bool]:
        """Return the line in which a chunk of ``stream`` begins, and whether it continues that line."""
        if not self._unended:
            return self.line, False
        if stream == self._stream:
            return self.line, True
        return self.line + 1, False

    def add(self, stream: str, newlines: int, unended: bool) -> int:
        """Take the next chunk: how many newlines it holds, and whether its last line goes on; return its first line."""
        first, _continues = self.begin(stream)
        self.line, self._stream, self._unended = first + newlines, stream, unended
        return first

    @property
    def total(self) -> int:
        """How many lines there are, the unended one included."""
        return self.line + 1 if self._unended else self.line


@dataclass(slots=True)
class Found:
    """The lines that hold a text, in order."""

    lines: list[int] = field(default_factory=list)
    #: How many there are, which may be more than were kept.
    total: int = 0


def search(chunks: Iterable[tuple[str, str]], text: str, *, stream: str | None = None, most: int = 10_000) -> Found:
    """Find ``text`` without regard to case in chunks of (stream, text), also where a line was cut between two chunks.

    Every chunk of the log must be given, from the first on; with ``stream``, only lines of that one are found. At most
    ``most`` line numbers are kept, and all are counted.
    """
    wanted = text.lower()
    found = Found()
    if not wanted:
        return found
    counter = LineCounter()
    tail, last = "", -1
    for name, body in chunks:
        first, continues = counter.begin(name)
        counter.add(name, body.count("\n"), not body.endswith("\n"))
        clean = CONTROL.sub("", body) if "\x1b" in body else body
        carried = tail if continues else ""
        if stream is None or name == stream:
            for number in _lines_with(carried + clean.lower(), wanted, first):
                if number > last:
                    last = number
                    found.total += 1
                    if len(found.lines) < most:
                        found.lines.append(number)
        # Only what may be the beginning of a match, and nothing of an earlier line.
        rest = (carried + clean.lower()).rpartition("\n")[2]
        tail = rest[-(len(wanted) - 1) :] if len(wanted) > 1 else ""
    return found


def _lines_with(text: str, wanted: str, first: int) -> Iterable[int]:
    line, counted, at = first, 0, text.find(wanted)
    while at >= 0:
        line += text.count("\n", counted, at)
        counted = at
        yield line
        # One match of a line is enough.
        end = text.find("\n", at)
        if end < 0:
            return
        at = text.find(wanted, end)
