"""A list in one line of a form: values with commas between them."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.forms import SimpleArrayField


class CommaListField(SimpleArrayField):
    """Reads ``10, 60,600`` and shows ``10, 60, 600``; commas too many do not count."""

    def prepare_value(self, value: Any) -> Any:
        """Return the text to show."""
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return the list; raises ValidationError that names the item that is wrong."""
        if isinstance(value, str):
            value = [part.strip() for part in value.replace("，", ",").split(",") if part.strip()]
        return super().to_python(value)
