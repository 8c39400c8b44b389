"""Lists as CSV: the rows that the filters leave, all pages of them, streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts.permissions import roles_remembered
from accounts.streaming import streamed

#: So many rows are read at once, each time by a question of its own: the file begins at once however long it becomes,
#: and somebody who reads slowly holds no snapshot, which would keep vacuum from its work.
BATCH = 500

#: What spreadsheets take for the beginning of a formula, written in full width, too.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

#: The heading of each column, and what a row has there.
Columns = Mapping[str, Callable[[Any], object]]


def harmless(value: object) -> str:
    """Return ``value`` as a cell that no spreadsheet takes for a formula (OWASP, "CSV Injection").

    Numbers stay numbers; moments are ISO 8601 in UTC.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


def csv_lines(columns: Columns, rows: Iterator[Any], prepare: Callable[[Sequence[Any]], None]) -> Iterator[str]:
    """Yield the lines of a CSV file, a batch at a time; ``prepare`` fetches what a batch needs beside its rows.

    It begins with a byte order mark, without which Excel takes UTF-8 for something else.
    """
    buffer = io.StringIO("\ufeff")
    buffer.seek(0, io.SEEK_END)
    writer = csv.writer(buffer)
    writer.writerow([harmless(heading) for heading in columns])
    for batch in _batches(rows):
        prepare(batch)
        writer.writerows([harmless(read(row)) for read in columns.values()] for row in batch)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _batches(rows: Iterator[Any]) -> Iterator[Sequence[Any]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _below_in_time(row: Any) -> Q:
    # The first bound is what the index of the order is entered by, and the partitions are chosen by.
    earlier = Q(scheduled_for__lt=row.scheduled_for) | Q(pk__lt=row.pk)
    return Q(scheduled_for__lte=row.scheduled_for) & earlier


#: The orders of the history, and what comes after a row in each.
_BELOW: Mapping[tuple[str, ...], Callable[[Any], Q]] = {
    ("-id",): lambda row: Q(pk__lt=row.pk),
    ("-scheduled_for", "-id"): _below_in_time,
}


def rows_of(found: QuerySet[Any], page: Callable[[QuerySet[Any], int, int], list[Any]]) -> Iterator[Any]:
    """Yield the rows of ``found`` in its order, none twice; those that come after it was begun may be left out.

    ``page`` returns a slice of it and is asked for the first batch. From there on the history, in either of its orders,
    goes on below the last row; lists in another order are short enough for their ids to be known beforehand.
    """
    rows = page(found, 0, BATCH)
    yield from rows
    if len(rows) < BATCH:
        return
    # Django's lists name their order and, once more, that of their rows.
    below = _BELOW.get(tuple(dict.fromkeys(map(str, found.query.order_by))))
    if below is not None:
        while rows:
            rows = list(found.filter(below(rows[-1]))[:BATCH])
            yield from rows
        return
    shown = {row.pk for row in rows}
    others = (pk for pk in list(found.values_list("pk", flat=True)) if pk not in shown)
    for pks in _batches(others):
        known = {row.pk: row for row in found.filter(pk__in=pks).order_by()}
        yield from (known[pk] for pk in pks if pk in known)


def export_list(model_admin: Any, request: HttpRequest, columns: Columns) -> HttpResponseBase:
    """Return the list that ``request`` asks for by the filters in its address, as a CSV file.

    The rows are those that the reader may see, in the order of the list.
    """
    try:
        changelist = model_admin.get_changelist_instance(request)
    except IncorrectLookupParameters:
        return HttpResponseRedirect("../")
    if changelist.not_understood:
        # More rows than were asked for would be in the file, and nothing there could say so; the list does.
        return HttpResponseRedirect(f"../?{request.GET.urlencode()}")
    rows = rows_of(changelist.queryset, partial(model_admin.page_rows, request))

    def prepare(batch: Sequence[Any]) -> None:
        # The request is over by then, and with it what was remembered for its time.
        with roles_remembered():
            model_admin.prepare_rows(request, batch)

    lines = csv_lines(columns, rows, prepare)
    name = f"{model_admin.opts.model_name}s-{timezone.localtime():%Y%m%d-%H%M%S}.csv"
    return streamed(request, lines, content_type="text/csv; charset=utf-8", filename=name)
