"""The template that makes a concurrency key from an instance's params: ``customer-{customer_id}``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from scheduling.domain.errors import InvalidField
from scheduling.domain.errors import gettext_noop as _n
from scheduling.domain.param_secrets import Schema, alternatives

_FIELD = "concurrency_key"

#: What stands at one place of a template: a doubled brace, a place with its path, or a brace that is alone.
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def places_of(template: str) -> list[tuple[str, ...]]:
    """Return the path of each place in ``template``, in order: ``{a.b}`` is ``("a", "b")``.

    Doubled braces stand for themselves. Raises InvalidField for a brace that is alone and for a place without a
    name.
    """
    places = []
    for found in _PART.finditer(template):
        if found[0] in {"{{", "}}"}:
            continue
        if found[1] is None:
            raise InvalidField(
                _FIELD,
                _n("The brace at character %(at)d is alone. A place is {name}; a brace of its own is doubled."),
                {"at": found.start() + 1},
            )
        if not _PATH.fullmatch(found[1]):
            raise InvalidField(
                _FIELD,
                _n("“%(place)s” is not the name of a param, such as {customer_id} or {order.customer}."),
                {"place": found[0]},
            )
        places.append(tuple(found[1].split(".")))
    return places


def render(template: str, params: Mapping[str, Any]) -> str:
    """Return the key that ``params`` yield; a param that is missing or null leaves its place empty.

    Raises InvalidField for a template that `places_of` refuses.
    """
    places_of(template)

    def text(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        value: Any = params
        for part in found[1].split("."):
            value = _member(value, part)
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(_ordered(value), ensure_ascii=False)

    return _PART.sub(text, template)


def _ordered(value: Any) -> Any:
    """Return ``value`` with the keys of its objects in PostgreSQL's order, since its text is what counts."""
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return {key: _ordered(value[key]) for key in keys}
    return [_ordered(each) for each in value] if isinstance(value, list) else value


def _member(value: Any, part: str) -> Any:
    if isinstance(value, list):
        return value[int(part)] if part.isdecimal() and len(part) < 10 and int(part) < len(value) else None
    return value.get(part) if isinstance(value, Mapping) else None


def check_places(template: str, schema: Schema) -> None:
    """Raise InvalidField when ``template`` is not one, or names a param that ``schema`` does not know or calls secret.

    ``schema`` is the JSON Schema of the handler's params.
    """
    for path in places_of(template):
        options: list[Schema] = [schema]
        for depth, part in enumerate(path):
            known: list[Schema] = []
            open_to_all = False
            for option in options:
                if part in option.get("properties", {}):
                    known += alternatives(option["properties"][part], schema)
                elif option.get("type") == "object" or not option.get("type"):
                    # An object takes further members unless it says otherwise; without a type it is anything.
                    more = option.get("additionalProperties", True)
                    open_to_all = open_to_all or more is not False
                    known += alternatives(more, schema) if isinstance(more, Mapping) else []
            if not known and not open_to_all:
                raise _unknown(path[: depth + 1], options)
            options = known
            if not options:
                break
        if any(option.get("format") == "password" for option in options):
            raise InvalidField(
                _FIELD, _n("“%(param)s” is a secret; a key is shown to people."), {"param": ".".join(path)}
            )


def _unknown(path: tuple[str, ...], options: list[Schema]) -> InvalidField:
    names = sorted({name for option in options for name in option.get("properties", {})})
    if not names:
        return InvalidField(_FIELD, _n("The params have no “%(param)s”."), {"param": ".".join(path)})
    return InvalidField(
        _FIELD,
        _n("The params have no “%(param)s”; there are: %(names)s."),
        {"param": ".".join(path), "names": ", ".join(".".join((*path[:-1], name)) for name in names)},
    )
