"""The inputs that the task form needs beside those of the theme."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget


class SuggestingInput(UnfoldAdminTextInputWidget):
    """A text input that suggests values and accepts others; the browser's own, so it needs no script."""

    def __init__(self, suggestions: Callable[[], Iterable[str]], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self._suggestions = suggestions

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """Return the input and its list."""
        list_id = f"{(attrs or {}).get('id', name)}_suggestions"
        field = super().render(name, value, {**(attrs or {}), "list": list_id, "autocomplete": "off"}, renderer)
        options = format_html_join("", '<option value="{}"></option>', ((each,) for each in self._suggestions()))
        return format_html('{}<datalist id="{}">{}</datalist>', field, list_id, options)


def code_area(rows: int = 4, placeholder: str = "") -> UnfoldAdminTextareaWidget:
    """Return a text area for code, data or output: a fixed-width face, and no spelling marks."""
    attrs = {"class": "rota-code", "rows": rows, "cols": 80, "spellcheck": "false", "autocapitalize": "off"}
    return UnfoldAdminTextareaWidget(attrs | ({"placeholder": placeholder} if placeholder else {}))
