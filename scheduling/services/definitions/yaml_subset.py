"""YAML as definition files use it: written so that every reader agrees, read without its surprises.

YAML 1.1 reads ``on`` as true, ``22:00`` as 1320 and ``2026-01-01`` as a date; a key that comes twice silently
loses its first value. Here only ``true``, ``false``, ``null`` and plain decimal numbers are not text, and a key
that comes twice is an error. On the way out everything that *any* reader could take for something else is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from django.utils.translation import gettext as _


class MergeKey(str):
    """The key ``<<`` without quotes, whose mappings are laid under the one that it stands in."""

    __slots__ = ()


_LINE_BREAKS_THAT_A_BLOCK_LOSES = re.compile("[\x85\u2028\u2029\r]")


def _wrong_key(node: yaml.Node, message: str, key: object) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, message % {"key": key}, node.start_mark)


def _key(text: str, node: yaml.Node) -> str:
    return MergeKey(text) if text == "<<" and isinstance(node, yaml.ScalarNode) and node.style is None else text


class _Loader(yaml.SafeLoader):
    """Reads plain values as YAML 1.2's core schema does, less its rarities."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Return the value; text that is none of what an explicit tag promises is an error with its place."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
            message = _("this cannot be read as “%(tag)s”") % {"tag": node.tag.rpartition(":")[2]}
            raise yaml.constructor.ConstructorError(None, None, message, node.start_mark) from error

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping; a key that is no text or comes twice is an error with its place."""
        seen: set[str] = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _wrong_key(key_node, _("the key “%(key)s” is no text; write it in quotes"), key)
            if key in seen:
                raise _wrong_key(key_node, _("the key “%(key)s” comes twice"), key)
            seen.add(key)
        return {
            _key(self.construct_object(key_node, deep=True), key_node): self.construct_object(value_node, deep=deep)
            for key_node, value_node in node.value
        }


# Every plain value that is not text here is one that the writer's YAML 1.1 rules quote when it is meant as text.
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?", "-+0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), ["" if c == "\0" else c for c in _first]
    )


class _Dumper(yaml.SafeDumper):
    """Writes one value always in the same way."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value that comes twice twice."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists inside mappings, as people do."""
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _LINE_BREAKS_THAT_A_BLOCK_LOSES.search(text) or text.isspace():
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def read_yaml(text: str) -> Iterator[Any]:
    """Yield the documents of ``text`` as plain values, merge keys not yet followed.

    A value may stand in several places (anchors), even within itself. Raises yaml.YAMLError.
    """
    yield from yaml.load_all(text, Loader=_Loader)


def write_yaml(value: Any) -> str:
    """Return one document, without a marker before it; equal values give equal texts."""
    text = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=2**31, indent=2
    )
    return str(text)
