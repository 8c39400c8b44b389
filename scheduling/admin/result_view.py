"""What a handler returned, as people read it: an HTTP response, a table of rows, or JSON that folds.

Results are up to 1 MiB, so a page shows the beginning of a large one; the whole of it can be downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.admin.cells import badge

#: A page shows so many rows of a table, values of JSON, and characters of one text.
MOST_ROWS, MOST_VALUES, MOST_CHARACTERS = 100, 1000, 10_000

#: JSON that is nested deeper is shown as text from there on.
DEEPEST = 30

#: Objects and lists of at most so many values are unfolded.
UNFOLDED = 12


def shown_result(result: Any) -> dict[str, Any]:
    """Return ``result`` for templates/admin/result.html; its `kind` is `http`, `table` or `json`."""
    if is_table(result):
        return _table(result)
    if _is_response(result):
        return _response(result)
    return {"kind": "json", "json": folded(result)}


def is_table(result: Any) -> bool:
    """Whether ``result`` has the shape of what an SQL statement yields."""
    return (
        isinstance(result, Mapping)
        and isinstance(result.get("columns"), list)
        and isinstance(result.get("rows"), list)
        and all(isinstance(row, list) for row in result["rows"])
    )


def _is_response(result: Any) -> bool:
    return (
        isinstance(result, Mapping)
        and isinstance(result.get("status"), int)
        and isinstance(result.get("headers"), Mapping)
        and ("body" in result or "json" in result)
    )


def _table(result: Mapping[str, Any]) -> dict[str, Any]:
    rows, count = result["rows"], result.get("row_count")
    notes = []
    if isinstance(count, int):
        words = (
            ngettext("%(n)d row", "%(n)d rows", count)
            if result["columns"]
            else ngettext("%(n)d row was changed.", "%(n)d rows were changed.", count)
        )
        notes.append(words % {"n": count})
    if len(rows) > MOST_ROWS:
        notes.append(_("The first %(n)d are shown.") % {"n": MOST_ROWS})
    if result.get("truncated"):
        notes.append(_("%(n)d were kept, the rest was cut.") % {"n": len(rows)})
    return {
        "kind": "table",
        "columns": result["columns"],
        "rows": [[_cell(value) for value in row] for row in rows[:MOST_ROWS]],
        "notes": notes,
    }


def _response(result: Mapping[str, Any]) -> dict[str, Any]:
    status = result["status"]
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    return {
        "kind": "http",
        "status": badge("succeeded" if 200 <= status < 400 else "failed", phrase),
        "url": result.get("url", ""),
        "seconds": result.get("elapsed_seconds"),
        "headers": sorted(result["headers"].items()),
        "json": folded(result["json"]) if "json" in result else None,
        "body": _cut(str(result.get("body", ""))),
        "truncated": bool(result.get("truncated")),
    }


def _cell(value: Any) -> SafeString:
    if value is None:
        return format_html('<span class="rota-subtle">{}</span>', "NULL")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return format_html("{}", _cut(text, MOST_CHARACTERS // 20))


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    if len(text) <= most:
        return text
    return _("%(text)s … (%(n)d characters more)") % {"text": text[:most], "n": len(text) - most}


def folded(value: Any) -> SafeString:
    """Return JSON as HTML whose objects and lists fold; the first `MOST_VALUES` values of it."""
    return _Folding().render(value, 0)


class _Folding:
    """Counts what it has shown, so that a page stays small whatever it shows."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def render(self, value: Any, depth: int) -> SafeString:
        self._left -= 1
        if not isinstance(value, Mapping | list) or not value or depth >= DEEPEST:
            text = _cut(json.dumps(value, ensure_ascii=False))
            kind = "text" if isinstance(value, str) else "other"
            return format_html('<span class="rota-json-{}">{}</span>', kind, text)
        if isinstance(value, Mapping):
            count = ngettext("%(n)d field", "%(n)d fields", len(value)) % {"n": len(value)}
            members: Iterator[tuple[str, Any]] = iter(value.items())
        else:
            count = ngettext("%(n)d item", "%(n)d items", len(value)) % {"n": len(value)}
            members = ((str(place), each) for place, each in enumerate(value))
        unfolded = mark_safe(" open") if depth == 0 or len(value) <= UNFOLDED else ""
        return format_html(
            '<details class="rota-json"{}><summary>{}</summary><ul>{}{}</ul></details>',
            unfolded,
            count,
            format_html_join("", "<li><b>{}</b>: {}</li>", self._members(members, depth)),
            self._rest(),
        )

    def _members(self, members: Iterator[tuple[str, Any]], depth: int) -> Iterator[tuple[str, SafeString]]:
        for name, member in members:
            if self._left <= 0:
                return
            yield name, self.render(member, depth + 1)

    def _rest(self) -> SafeString:
        if self._left > 0:
            return mark_safe("")
        return format_html('<li class="rota-subtle">{}</li>', _("The rest is in the download."))
