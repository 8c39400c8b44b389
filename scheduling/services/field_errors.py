"""What Django says is wrong with the fields of a model, as sentences that say what would be right."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model
from django.utils.translation import gettext as _


def field_sentences(model: type[Model], error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield field and sentence of each thing that `Model.full_clean` found wrong.

    A word that is none of a field's choices is answered with the choices.
    """
    for field, errors in error.error_dict.items():
        for each in errors:
            words = _choices(model, field) if each.code == "invalid_choice" else ""
            if words and isinstance(each.params, dict):
                given = str(each.params.get("value", ""))[:60]
                yield field, _("“%(given)s” is none of these: %(words)s.") % {"given": given, "words": words}
            else:
                yield from ((field, message) for message in each.messages)


def _choices(model: type[Model], field: str) -> str:
    try:
        choices = model._meta.get_field(field).flatchoices  # type: ignore[union-attr]  # concrete fields are cleaned
    except (AttributeError, FieldDoesNotExist):
        return ""
    return ", ".join(str(value) for value, _label in choices if value not in ("", None))
