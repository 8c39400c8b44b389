"""The result of an execution as a file: JSON, or CSV where it is a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse

from accounts.admin.csv_export import csv_lines
from scheduling.admin.result_view import is_table
from workers.models import Execution


def result_download(execution: Execution, *, as_csv: bool) -> HttpResponse:
    """Return the whole result; ``as_csv`` counts only for what has columns and rows."""
    if as_csv and is_table(execution.result):
        text = "".join(_csv(execution.result))
        return _file(text, "text/csv; charset=utf-8", f"execution-{execution.pk}.csv")
    text = json.dumps(execution.result, ensure_ascii=False, indent=2)
    return _file(f"{text}\n", "application/json", f"execution-{execution.pk}.json")


def _csv(result: Any) -> Iterator[str]:
    columns = {str(name): _reader(place) for place, name in enumerate(result["columns"])}
    if len(columns) < len(result["columns"]):
        # A statement may name two columns alike.
        columns = {f"{name} ({place + 1})": _reader(place) for place, name in enumerate(result["columns"])}
    return csv_lines(columns, iter(result["rows"]), lambda batch: None)


def _reader(place: int) -> Any:
    return lambda row: row[place] if place < len(row) else None


def _file(text: str, content_type: str, name: str) -> HttpResponse:
    answer = HttpResponse(text, content_type=content_type)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
