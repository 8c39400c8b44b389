"""Forms that are rows of a table: each control says what it is to those who do not see the head of its column."""

from __future__ import annotations

from django import forms
from django.utils.text import capfirst


def label_controls(form: forms.BaseForm) -> None:
    """Let each control of ``form`` carry its label itself; choices to tick have words of their own."""
    for field in form.fields.values():
        # A widget around another hands no attributes on.
        widget = getattr(field.widget, "widget", field.widget)
        if isinstance(widget, forms.Widget) and not isinstance(widget, forms.CheckboxSelectMultiple):
            widget.attrs.setdefault("aria-label", capfirst(str(field.label)))
