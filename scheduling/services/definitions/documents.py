"""From files and texts to plain objects, each with its place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from django.utils.translation import gettext as _

from scheduling.services.definitions.problems import DefinitionProblem, Place
from scheduling.services.definitions.yaml_subset import MergeKey, read_yaml

#: What counts as a definition file inside a directory.
SUFFIXES = (".yaml", ".yml", ".json")
#: Far more than anybody writes, far from where Python or PostgreSQL give up. Anchors can multiply a small text.
DEEPEST, MOST_VALUES = 100, 500_000


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a definition file, as plain values."""

    place: Place
    body: dict[str, Any]


@dataclass(slots=True)
class Documents:
    """What was read, and what could not be."""

    objects: list[Document] = field(default_factory=list)
    problems: list[DefinitionProblem] = field(default_factory=list)

    def refuse(self, place: Place, message: str, *, field: str = "") -> None:
        """Note something that is wrong."""
        self.problems.append(DefinitionProblem(place=place, message=message, field=field))


def read_paths(paths: Iterable[Path]) -> Documents:
    """Read files, and every definition file below directories (hidden ones left out), in the order of their names."""
    found = Documents()
    for path in paths:
        if path.is_dir():
            files = [
                each
                for each in sorted(path.rglob("*"))
                if each.is_file()
                and each.suffix.lower() in SUFFIXES
                and not any(part.startswith(".") for part in each.relative_to(path).parts)
            ]
            if not files:
                sentence = _("There is no definition file (%(kinds)s) here.") % {"kinds": ", ".join(SUFFIXES)}
                found.refuse(Place(str(path)), sentence)
        else:
            files = [path]
        for each in files:
            _read_file(found, each)
    return found


def read_text(text: str, *, source: str, as_json: bool) -> Documents:
    """Read definitions from a text; ``source`` names it in problems."""
    found = Documents()
    _read_into(found, text, source=source, as_json=as_json)
    return found


def _read_file(found: Documents, path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        found.refuse(Place(str(path)), _("This file cannot be read: %(why)s.") % {"why": error.strerror})
    except UnicodeDecodeError:
        found.refuse(Place(str(path)), _("This file is not UTF-8 text."))
    else:
        _read_into(found, text, source=str(path), as_json=path.suffix.lower() == ".json")


def _read_into(found: Documents, text: str, *, source: str, as_json: bool) -> None:
    whole = Place(source)
    try:
        values = [json.loads(text, object_pairs_hook=_object)] if as_json else list(read_yaml(text))
    except json.JSONDecodeError as error:
        found.refuse(
            whole,
            _("This is not JSON: line %(line)d, column %(column)d: %(why)s.")
            % {"line": error.lineno, "column": error.colno, "why": error.msg},
        )
    except yaml.YAMLError as error:
        found.refuse(whole, _("This is not YAML: %(why)s.") % {"why": _yaml_reason(error)})
    except RecursionError:
        found.refuse(whole, _("This is nested too deep."))
    except ValueError as error:  # a key that comes twice, or a number with more digits than Python reads
        found.refuse(whole, str(error))
    else:
        for place, value in _numbered(source, values):
            _add(found, place, value)


def _add(found: Documents, place: Place, value: Any) -> None:
    if problem := _unusable(value):
        found.refuse(place, problem[1], field=problem[0])
        return
    try:
        value = _merged(value)
    except ValueError as error:
        found.refuse(place, str(error))
        return
    if not isinstance(value, dict):
        found.refuse(place, _("A definition is an object with a kind and a name."))
        return
    found.objects.append(Document(place, value))


def _numbered(source: str, values: list[Any]) -> Iterator[tuple[Place, Any]]:
    """Yield the objects of a file; one that holds nothing but a list is numbered by the list's items."""
    for number, value in enumerate(values, start=1):
        if isinstance(value, list):
            for item, each in enumerate(value, start=1):
                yield Place(source, str(item) if len(values) == 1 else f"{number}.{item}"), each
        elif value is not None:  # an empty document, as behind a last "---"
            yield Place(source, str(number)), value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, member in pairs:
        if key in value:
            raise ValueError(_("The key “%(key)s” comes twice.") % {"key": key})
        value[key] = member
    return value


def _yaml_reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error)
    if mark is None:
        return str(reason)
    return _("line %(line)d, column %(column)d: %(why)s") % {
        "line": mark.line + 1,
        "column": mark.column + 1,
        "why": reason,
    }


def _unusable(value: Any) -> tuple[str, str] | None:
    """Return the top-level field and a sentence for the first thing that JSON or PostgreSQL could not hold."""
    pending: list[tuple[str, int, Any]] = [("", 0, value)]
    count = 0
    while pending:
        name, depth, each = pending.pop()
        count += 1
        if depth > DEEPEST or count > MOST_VALUES:
            return name, _("This is nested too deep, or too large.")
        if isinstance(each, dict):
            for key, member in each.items():
                if problem := _text_problem(key):
                    return name, problem
                pending.append((name or key, depth + 1, member))
        elif isinstance(each, list):
            pending += [(name, depth + 1, member) for member in each]
        elif isinstance(each, str):
            if problem := _text_problem(each):
                return name, problem
        elif isinstance(each, float) and not math.isfinite(each):
            return name, _("This number is too large.")
        elif each is not None and not isinstance(each, int | float):
            return name, _("This is neither a text, a number, true, false, null, a list nor an object.")
    return None


def _text_problem(text: str) -> str:
    if "\0" in text:
        return _("Null characters are not allowed.")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return _("This text has half of a surrogate pair, which is no character.")
    return ""


def _merged(value: Any) -> Any:
    """Return ``value`` with every merge key followed: what stands beside it wins, then the first that it names."""
    if isinstance(value, list):
        return [_merged(each) for each in value]
    if not isinstance(value, dict):
        return value
    own = {key: _merged(member) for key, member in value.items() if not isinstance(key, MergeKey)}
    merged: Any = next((member for key, member in value.items() if isinstance(key, MergeKey)), [])
    bases = merged if isinstance(merged, list) else [merged]
    if not all(isinstance(each, dict) for each in bases):
        raise ValueError(_("“<<” stands before an object, or a list of objects."))
    for base in bases:
        for key, member in _merged(base).items():
            own.setdefault(key, member)
    return own
