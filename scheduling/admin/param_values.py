"""Form fields for values that HTML has no input for: lists, names with values, and any JSON."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from scheduling.admin.widgets import code_area
from scheduling.domain.param_secrets import Schema, hidden, masked, unmasked


class LinesField(forms.CharField):
    """A list of texts, one on each line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=code_area(3), strip=False, **kwargs)

    @staticmethod
    def can_hold(value: Any) -> bool:
        """Whether lines can express this list: no blank text, no line break within one."""
        return isinstance(value, list) and all(
            not isinstance(each, (dict, list)) and str(each).strip() and str(each).splitlines() == [str(each)]
            for each in value
        )

    def prepare_value(self, value: Any) -> Any:
        """Return the text to show."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return the list; lines that are blank do not count."""
        if isinstance(value, list):
            return value
        return [line.strip() for line in (value or "").splitlines() if line.strip()]


class PairsField(forms.CharField):
    """Names with a text for each, one on each line: ``Accept: text/plain``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=code_area(3, _("name: value")), strip=False, **kwargs)

    @staticmethod
    def can_hold(value: Any) -> bool:
        """Whether lines can express this mapping: neither colons in names, nor line breaks, nor outer spaces."""
        return isinstance(value, dict) and all(
            name
            and ":" not in name
            and isinstance(text, str)
            and f"{name}{text}".splitlines() in ([], [f"{name}{text}"])
            and (name, text) == (name.strip(), text.strip())
            for name, text in value.items()
        )

    def prepare_value(self, value: Any) -> Any:
        """Return the text to show."""
        return "\n".join(f"{name}: {text}" for name, text in value.items()) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        """Return the mapping; refuses a line without a colon and a name that comes twice."""
        if isinstance(value, dict):
            return value
        pairs: dict[str, str] = {}
        for number, line in enumerate((value or "").splitlines(), start=1):
            if not line.strip():
                continue
            name, colon, text = line.partition(":")
            name = name.strip()
            if not colon or not name:
                raise ValidationError(_("Line %(number)d is not “name: value”.") % {"number": number})
            if name in pairs:
                raise ValidationError(_("Line %(number)d names “%(name)s” again.") % {"number": number, "name": name})
            pairs[name] = text.strip()
        return pairs


class JsonTextField(forms.JSONField):
    """Any JSON, indented; passwords in it are masked, and a mask that comes back means the stored one.

    Where the schema is None, nobody knows what is a password, and all of it is masked.
    """

    def __init__(
        self, *, schema: Schema | None, root: Schema, stored: Any, placeholder: str = "", **kwargs: Any
    ) -> None:
        super().__init__(widget=code_area(3, placeholder), **kwargs)
        self._schema, self._root, self._stored = schema, root, stored

    def prepare_value(self, value: Any) -> Any:
        """Return the text to show."""
        if value is None or isinstance(value, str):
            # A text is what somebody typed and got an error for; a stored text is handled by has_text.
            return value
        shown = hidden(value) if self._schema is None else masked(value, self._schema, self._root)
        return json.dumps(shown, ensure_ascii=False, indent=2)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Show what was typed as it was typed, right or wrong."""
        return data

    def to_python(self, value: Any) -> Any:
        """Return the value, or None for an empty text; says where the JSON goes wrong."""
        if value is None or not str(value).strip():
            return None
        if not isinstance(value, str):
            return value
        try:
            found = json.loads(value, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            raise ValidationError(
                _("This is not JSON: line %(line)d, column %(column)d.") % {"line": error.lineno, "column": error.colno}
            ) from None
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return unmasked(found, self._stored)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare values, not texts."""
        try:
            return bool(self.to_python(data) != initial)
        except ValidationError:
            return True


def _refuse_constant(name: str) -> Any:
    raise ValueError(_("JSON has no %(name)s.") % {"name": name})
