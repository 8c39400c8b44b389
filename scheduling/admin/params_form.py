"""The part of the task form that is made from a handler's JSON Schema, one field for each param."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordInput,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from scheduling.admin.param_values import JsonTextField, LinesField, PairsField
from scheduling.admin.widgets import SuggestingInput, code_area
from scheduling.domain.param_secrets import MASK, Schema, alternatives, masked, resolve, unmasked

PREFIX = "param_"

#: Texts that are longer than a line, by the name that handlers commonly give them.
LONG_TEXTS = frozenset({"body", "code", "command", "content", "query_text", "script", "sql", "statement", "stdin"})

#: With more params than this, those that have a default of their own fold away.
SHORT_FORM = 6

_SCALARS = frozenset({"string", "integer", "number"})

Suggestions = Mapping[str, Callable[[], Iterable[str]]]


@dataclass(frozen=True, kw_only=True)
class ParamsForm:
    """The fields of one handler's params, and the way back from a form to params."""

    schema: Schema
    stored: Mapping[str, Any]
    fields: Mapping[str, forms.Field]

    def names(self) -> list[str]:
        """Return the names of all form fields."""
        return [PREFIX + key for key in self.fields]

    def folded(self) -> list[str]:
        """Return the names of the fields that most people leave alone."""
        if len(self.fields) <= SHORT_FORM:
            return []
        return [
            PREFIX + key
            for key, part in self.schema["properties"].items()
            if part.get("default") not in (None, "", {}, []) and "enum" not in part
        ]

    def params(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        """Return the params that a filled form stands for.

        What is empty, or equal to the handler's default and not stored before, stays out, so that the default
        of a later version applies.
        """
        required = set(self.schema.get("required", ()))
        found = {}
        for key, part in self.schema["properties"].items():
            value = cleaned.get(PREFIX + key)
            if value is None or (value in ("", [], {}) and key not in required):
                continue
            if key not in self.stored and "default" in part and value == part["default"]:
                continue
            found[key] = unmasked(value, self.stored.get(key))
        return found

    def field_of(self, path: tuple[str | int, ...], message: str) -> str | None:
        """Return the form field beside which a problem belongs; None when it is about none of them.

        A problem with several params together has no path; it goes to the first one that it mentions.
        """
        if path:
            return PREFIX + str(path[0]) if path[0] in self.fields else None
        words = message.lower()
        for key, field in self.fields.items():
            if str(field.label).lower() in words:
                return PREFIX + key
        return None


def build_params_form(schema: Schema, stored: Mapping[str, Any], suggestions: Suggestions) -> ParamsForm:
    """Return the fields for a JSON Schema of an object, filled with the stored params."""
    required = set(schema.get("required", ()))
    fields = {
        key: _field(key, part, schema, key in required, stored, suggestions)
        for key, part in schema.get("properties", {}).items()
    }
    return ParamsForm(schema={"properties": {}, **schema}, stored=stored, fields=fields)


def _field(
    key: str, part: Schema, root: Schema, required: bool, stored: Mapping[str, Any], suggestions: Suggestions
) -> forms.Field:
    whole = resolve(part, root)
    value = stored.get(key, whole.get("default"))
    options: dict[str, Any] = {
        "label": whole.get("title") or capfirst(key.replace("_", " ")),
        "help_text": whole.get("description", ""),
        "required": required,
        "initial": value,
    }
    kinds = alternatives(part, root)
    kind = kinds[0] if len(kinds) == 1 else {}
    field = _scalar_field(key, kind, options, suggestions) or _compound_field(kind, root, options, value)
    return field or JsonTextField(
        schema=part,
        root=root,
        stored=stored.get(key),
        placeholder="\n".join(_examples(kinds)),
        **_with_help(options, _("Written as JSON.")),
    )


def _scalar_field(key: str, kind: Schema, options: dict[str, Any], suggestions: Suggestions) -> forms.Field | None:
    if "enum" in kind or "const" in kind:
        values = kind.get("enum") or [kind["const"]]
        return _choice_field(values, options) if all(isinstance(each, str) for each in values) else None
    match kind.get("type"):
        case "boolean":
            return forms.BooleanField(widget=UnfoldBooleanSwitchWidget(), **options | {"required": False})
        case "integer" | "number" as number:
            field = forms.IntegerField if number == "integer" else forms.FloatField
            bounds: dict[str, Any] = {"min_value": kind.get("minimum"), "max_value": kind.get("maximum")}
            return field(widget=UnfoldAdminIntegerFieldWidget(), **options, **bounds)
        case "string" if options["initial"] is None or isinstance(options["initial"], str):
            return _text_field(key, kind, options, suggestions)
    return None


def _choice_field(values: list[str], options: dict[str, Any]) -> forms.Field:
    initial = options["initial"]
    choices = [(each, each) for each in values]
    if initial not in values:
        # Nothing is chosen for somebody who did not choose, and a value that is gone is not lost unseen.
        choices.insert(0, ("", _("Choose …")))
        if initial:
            choices.append((initial, _("%(value)s (not installed)") % {"value": initial}))
    return forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget(), **options)


def _text_field(key: str, kind: Schema, options: dict[str, Any], suggestions: Suggestions) -> forms.Field:
    if kind.get("format") == "password":
        options = options | {"initial": MASK if options["initial"] else ""}
        return forms.CharField(widget=UnfoldAdminPasswordInput(render_value=True), strip=False, **options)
    if key in LONG_TEXTS or kind.get("format") in {"sql", "textarea"} or kind.get("maxLength", 0) > 300:
        return forms.CharField(widget=code_area(6 if options["required"] else 3), strip=False, **options)
    widget = SuggestingInput(suggestions[key]) if key in suggestions else UnfoldAdminTextInputWidget()
    return forms.CharField(widget=widget, **options)


def _compound_field(kind: Schema, root: Schema, options: dict[str, Any], value: Any) -> forms.Field | None:
    if masked(value, kind, root) != value:
        return None  # lines and pairs show everything
    if (
        kind.get("type") == "array"
        and _all_scalar(kind.get("items"), root)
        and (not value or LinesField.can_hold(value))
    ):
        return LinesField(**_with_help(options, _("One on each line.")))
    values = kind.get("additionalProperties")
    texts = isinstance(values, Mapping) and [each.get("type") for each in alternatives(values, root)] == ["string"]
    if kind.get("type") == "object" and texts and (not value or PairsField.can_hold(value)):
        return PairsField(**_with_help(options, _("One on each line, as name: value.")))
    return None


def _examples(kinds: list[Schema]) -> list[str]:
    """Return an outline of each kind of object that may be written."""
    outlines = [
        {name: part.get("const", "") for name, part in kind["properties"].items()}
        for kind in kinds
        if kind.get("properties")
    ]
    return [json.dumps(outline) for outline in outlines]


def _all_scalar(items: object, root: Schema) -> bool:
    """Whether lines of text can stand for the items: texts, or texts among other scalars."""
    if not isinstance(items, Mapping):
        return False
    types = {each.get("type") for each in alternatives(items, root)}
    return "string" in types and types <= _SCALARS


def _with_help(options: dict[str, Any], sentence: str) -> dict[str, Any]:
    return options | {"help_text": " ".join(filter(None, [str(options["help_text"]), sentence]))}
