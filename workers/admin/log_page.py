"""One page of an execution's log: a run of chunks, as many as fit, and where the neighbours begin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Func, IntegerField, QuerySet

from workers.log_text import chunks_of
from workers.models import Execution, LogChunk

#: One page holds at most so much text, and at least one chunk.
PAGE_BYTES = 256 * 1024

#: One page holds at most so many chunks, however short they are.
PAGE_CHUNKS = 500

#: Colours and cursor movements of a terminal (ECMA-48), which are noise in a page of text.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(kw_only=True)
class Passage:
    """Text of one stream without anything of another in between."""

    stream: str
    at: datetime
    text: str


@dataclass(kw_only=True)
class LogPage:
    """What one page shows. `earlier` and `later` are where the neighbouring pages end and begin."""

    passages: list[Passage] = field(default_factory=list)
    first: int | None = None
    last: int | None = None
    earlier: int | None = None
    later: int | None = None


def read_page(execution: Execution, *, start: int | None = None, before: int | None = None) -> LogPage:
    """Return the page that begins at ``start``, or that ends just before ``before``; without both, the last.

    Sizes are looked at first, so that a page never reads more text than it shows.
    """
    chunks = chunks_of(execution)
    sizes = chunks.annotate(size=Func("body", function="octet_length", output_field=IntegerField()))
    if start is not None:
        found = _fitting(sizes.filter(seq__gte=start).values_list("seq", "size"))
    else:
        earlier = sizes if before is None else sizes.filter(seq__lt=before)
        found = _fitting(earlier.order_by("-seq").values_list("seq", "size"))
    if not found:
        return LogPage()
    first, last = min(found), max(found)
    page = LogPage(first=first, last=last)
    page.earlier = first if chunks.filter(seq__lt=first).exists() else None
    page.later = last + 1 if chunks.filter(seq__gt=last).exists() else None
    page.passages = list(_passages(chunks.filter(seq__gte=first, seq__lte=last)))
    return page


def _fitting(rows: QuerySet[LogChunk, tuple[int, int]]) -> list[int]:
    taken: list[int] = []
    total = 0
    for seq, size in rows[:PAGE_CHUNKS]:
        total += size
        if taken and total > PAGE_BYTES:
            break
        taken.append(seq)
    return taken


def _passages(chunks: QuerySet[LogChunk]) -> Iterator[Passage]:
    open_passage: Passage | None = None
    for chunk in chunks:
        text = _CONTROL.sub("", chunk.body.replace("\r\n", "\n"))
        if open_passage is not None and open_passage.stream == chunk.stream:
            open_passage.text += text
            continue
        if open_passage is not None:
            yield open_passage
        open_passage = Passage(stream=chunk.stream, at=chunk.at, text=text)
    if open_passage is not None:
        yield open_passage
