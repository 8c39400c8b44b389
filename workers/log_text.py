"""What pages and programs read of a stored log: its index, its lines, and all of it as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import F, Func, IntegerField, QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from workers.domain.log_lines import Found, search
from workers.models import Execution, LogChunk

#: So many chunks are read at a time; each has 64 KiB at most.
RUN = 32

#: (seq, stream, at, bytes, lines that end in it, whether its last line goes on)
IndexRow = tuple[int, str, datetime, int, int, bool]


def chunks_of(execution: Execution) -> QuerySet[LogChunk]:
    """Return the chunks of an execution in order; its moment tells the partition they are in."""
    return LogChunk.objects.filter(execution_id=execution.pk, scheduled_for=execution.scheduled_for).order_by("seq")


def log_index(execution: Execution, *, after: int, most: int) -> list[IndexRow]:
    """Return what chunks there are after ``after``, at most ``most``, without reading their text."""
    size = Func(F("body"), function="octet_length", output_field=IntegerField())
    rows = (
        chunks_of(execution)
        .filter(seq__gt=after)
        .annotate(size=size)
        .values_list("seq", "stream", "at", "size", "lines", "unended")
    )
    return [tuple(row) for row in rows[:most]]


def search_log(execution: Execution, text: str, *, stream: str | None = None) -> Found:
    """Return the lines that hold ``text``; see `workers.domain.log_lines.search`."""
    rows = chunks_of(execution).values_list("stream", "body").iterator(chunk_size=RUN)
    return search(rows, text, stream=stream)


def log_file(request: HttpRequest, execution: Execution, *, after: int = -1) -> StreamingHttpResponse:
    """Return what follows chunk ``after`` as a plain file, a few chunks in memory at a time."""
    texts: Any = _texts_async(execution, after) if isinstance(request, ASGIRequest) else _texts(execution, after)
    return StreamingHttpResponse(
        texts,
        content_type="text/plain; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="execution-{execution.pk}.log"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def _run(execution: Execution, after: int) -> list[tuple[int, str]]:
    return list(chunks_of(execution).filter(seq__gt=after).values_list("seq", "body")[:RUN])


def _texts(execution: Execution, after: int) -> Iterator[str]:
    while run := _run(execution, after):
        after = run[-1][0]
        yield "".join(body for _, body in run)


async def _texts_async(execution: Execution, after: int) -> AsyncIterator[str]:
    while run := await sync_to_async(_run)(execution, after):
        after = run[-1][0]
        yield "".join(body for _, body in run)
