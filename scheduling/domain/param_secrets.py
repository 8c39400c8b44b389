"""Secrets within a task's params: shown as a mask, and kept when the mask comes back."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Return ``value`` with every text hidden whose schema calls it a password."""
    options = alternatives(schema, root)
    if isinstance(value, str):
        return MASK if value and any(each.get("format") == "password" for each in options) else value
    if isinstance(value, Mapping):
        return {key: _masked_member(key, member, options, root) for key, member in value.items()}
    if isinstance(value, list):
        items = [each["items"] for each in options if isinstance(each.get("items"), Mapping)]
        return [masked(member, {"anyOf": items}, root) if items else member for member in value]
    return value


def _masked_member(key: str, member: Any, options: list[Schema], root: Schema) -> Any:
    schemas = [each["properties"][key] for each in options if key in each.get("properties", {})]
    return masked(member, {"anyOf": schemas}, root) if schemas else member


def unmasked(value: Any, stored: Any) -> Any:
    """Return ``value`` with each mask replaced by what is stored in its place."""
    if value == MASK and isinstance(stored, str):
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
