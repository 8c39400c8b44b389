"""Rows of one table out of a MySQL dump: its INSERT statements, read as MySQL reads them.

Quotes, backslash escapes, comments, several rows in a statement, and several statements are understood; nothing is
executed. Source: the chapters "String Literals" and "INSERT Statement" of MySQL's reference manual.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

_TOKEN = re.compile(
    r"""
    (?P<skip>\s++|--(?=\s|\Z)[^\n]*+|\#[^\n]*+|/\*(?!!).*?\*/|/\*!\d*+|\*/)
  | (?P<text>'(?:[^'\\]++|\\.|'')*+'|"(?:[^"\\]++|\\.|"")*+")
  | (?P<name>`(?:[^`]++|``)*+`)
  | (?P<number>0x[0-9A-Fa-f]++|[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?(?!\w))
  | (?P<word>[A-Za-z_@$\x80-\uffff][\w$]*+)
  | (?P<sign>.)
    """,
    re.S | re.X,
)
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}

Token = tuple[str, str]


@dataclass(slots=True)
class DumpedRows:
    """The rows by column, and sentences about what could not be read."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_dumped_rows(dump: str, table: str, default_columns: tuple[str, ...]) -> DumpedRows:
    """Return the rows of ``table``.

    Their columns are those that the INSERT lists, else those of the dump's CREATE TABLE, else ``default_columns``. A
    row with another number of values is a problem, and the rest goes on.
    """
    found = DumpedRows()
    columns = default_columns
    for statement in _statements(dump):
        words = [value.upper() for kind, value in statement[:8] if kind == "word"]
        if words[:2] == ["CREATE", "TABLE"] and _table_of(statement) == table:
            columns = _created_columns(statement) or columns
        elif words[:1] in (["INSERT"], ["REPLACE"]) and _table_of(statement) == table:
            _read_insert(found, statement, columns)
    return found


def _statements(dump: str) -> Iterator[list[Token]]:
    statement: list[Token] = []
    for match in _TOKEN.finditer(dump):
        kind = match.lastgroup or "sign"
        if kind == "skip":
            continue
        if match.group() == ";" and kind == "sign":
            yield statement
            statement = []
        else:
            statement.append((kind, match.group()))
    if statement:  # a dump that was cut off
        yield statement


def _table_of(statement: list[Token]) -> str:
    """Return the name of the table: the last of the names before the first parenthesis or the word VALUES."""
    name = ""
    for kind, value in statement:
        if value == "(" or value.upper() in {"VALUES", "VALUE", "SET", "SELECT"}:
            break
        if kind in {"name", "word"}:
            name = _unquoted(value)
    return name


def _created_columns(statement: list[Token]) -> tuple[str, ...]:
    parts: list[list[Token]] = next(_groups(statement), []) or []
    return tuple(_unquoted(part[0][1]) for part in parts if part and part[0][0] == "name")


def _read_insert(found: DumpedRows, statement: list[Token], columns: tuple[str, ...]) -> None:
    start = next(
        (i for i, (kind, value) in enumerate(statement) if kind == "word" and value.upper() in {"VALUES", "VALUE"}),
        None,
    )
    if start is None:
        found.problems.append(_("An INSERT without VALUES was passed over."))
        return
    if listed := next(_groups(statement[:start]), None):
        columns = tuple(_unquoted(part[0][1]) for part in listed if part)
    for number, values in enumerate(_groups(statement[start + 1 :]), start=1):
        if values is None:
            found.problems.append(
                _("The dump ends in the middle of row %(number)d of its last INSERT.") % {"number": number}
            )
        elif len(values) != len(columns):
            shown = " ".join(value for _kind, value in values[0][:1]) if values else ""
            found.problems.append(
                _("The row that begins with %(first)s has %(count)d values for %(columns)d columns.")
                % {"first": shown, "count": len(values), "columns": len(columns)}
            )
        else:
            found.rows.append(dict(zip(columns, map(_value, values), strict=True)))


def _groups(tokens: list[Token]) -> Iterator[Any]:
    """Yield each parenthesised list as its parts, split at its own commas; None for one that does not end."""
    depth = 0
    parts: list[list[Token]] = []
    for kind, value in tokens:
        if kind == "sign" and value == "(":
            depth += 1
            if depth == 1:
                parts = [[]]
                continue
        elif kind == "sign" and value == ")" and depth:
            depth -= 1
            if depth == 0:
                yield parts
                continue
        if depth == 1 and kind == "sign" and value == ",":
            parts.append([])
        elif depth:
            parts[-1].append((kind, value))
    if depth:
        yield None


def _value(tokens: list[Token]) -> Any:
    # An introducer such as _utf8mb4 or _binary may stand before a text.
    if len(tokens) == 2 and tokens[0][0] == "word" and tokens[0][1].startswith("_"):
        tokens = tokens[1:]
    if len(tokens) != 1:
        return " ".join(value for _kind, value in tokens)
    kind, value = tokens[0]
    if kind == "text":
        return _text(value)
    if kind == "number":
        if value.startswith("0x"):
            return bytes.fromhex(value[2:].rjust(len(value[2:]) + len(value) % 2, "0")).decode("utf-8", "replace")
        return int(value) if value.lstrip("+-").isdecimal() else float(value)
    return {"NULL": None, "TRUE": 1, "FALSE": 0}.get(value.upper(), value)


def _text(quoted: str) -> str:
    quote, inner = quoted[0], quoted[1:-1]

    def plain(match: re.Match[str]) -> str:
        found = match.group()
        return quote if found == quote * 2 else _ESCAPES.get(found[1], found[1])

    return re.sub(rf"\\.|{quote}{quote}", plain, inner, flags=re.S)


def _unquoted(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name.strip("\"'")
