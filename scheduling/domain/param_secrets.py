"""Secrets within a task's params: shown as a mask, and kept when the mask comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MASK = "••••••••"

Schema = Mapping[str, Any]


def resolve(schema: Schema, root: Schema) -> Schema:
    """Follow a reference to a definition of ``root``; what stands beside the reference is laid over it."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    name = reference.rpartition("/")[2]
    return {**root.get("$defs", {}).get(name, {}), **{key: value for key, value in schema.items() if key != "$ref"}}


def alternatives(schema: Schema, root: Schema) -> list[Schema]:
    """Return what a value may be, one schema for each possibility, null left out."""
    schema = resolve(schema, root)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if not choices:
        return [] if schema.get("type") == "null" else [schema]
    return [found for choice in choices for found in alternatives(choice, root)]


def masked(value: Any, schema: Schema, root: Schema) -> Any:
    """Return ``value`` with everything hidden that its schema calls a password, or does not know at all."""
    options = alternatives(schema, root)
    if any(each.get("format") == "password" for each in options):
        return hidden(value)
    if isinstance(value, Mapping):
        return {key: _masked_member(key, member, options, root) for key, member in value.items()}
    if isinstance(value, list):
        items = [each["items"] for each in options if isinstance(each.get("items"), Mapping)]
        return [masked(member, {"anyOf": items}, root) if items else member for member in value]
    return value


def hidden(value: Any) -> Any:
    """Return ``value`` with a mask for everything in it but the keys: nobody knows which part is a secret."""
    if isinstance(value, Mapping):
        return {key: hidden(member) for key, member in value.items()}
    if isinstance(value, list):
        return [hidden(member) for member in value]
    return value if value is None or value == "" else MASK


def _masked_member(key: str, member: Any, options: list[Schema], root: Schema) -> Any:
    others = [each.get("additionalProperties") for each in options]
    schemas = [each["properties"][key] for each in options if key in each.get("properties", {})] or [
        each for each in others if isinstance(each, Mapping)
    ]
    if schemas:
        return masked(member, {"anyOf": schemas}, root)
    # Stored before the handler changed: what it was is not known any more.
    return hidden(member) if others and all(each is False for each in others) else member


def unmasked(value: Any, stored: Any) -> Any:
    """Return ``value`` with each mask replaced by what is stored in its place."""
    if value == MASK and isinstance(stored, (str, int, float)):
        return stored
    if isinstance(value, Mapping):
        before = stored if isinstance(stored, Mapping) else {}
        return {key: unmasked(member, before.get(key)) for key, member in value.items()}
    if isinstance(value, list):
        earlier = stored if isinstance(stored, list) else []
        return [
            unmasked(member, earlier[index] if index < len(earlier) else None) for index, member in enumerate(value)
        ]
    return value


def mask_places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of the masks in ``value``: those that are left stand where nothing is stored."""
    if value == MASK:
        return [path]
    items: Iterable[tuple[str | int, Any]]
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, member in items for found in mask_places(member, (*path, key))]
