"""The base of every serializer: nothing that a client sent is silently ignored."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import models
from django.utils.translation import gettext as _
from rest_framework import serializers

from accounts.api.fields import MomentField

#: For so many unknown names it is looked which one was probably meant: that takes longer than to read them.
MOST_HINTS = 20

#: A longer name resembles none; of it so much is compared.
_LONGEST_NAME = 200

M = TypeVar("M", bound=models.Model)


def unknown_names(given: Mapping[str, Any], known: list[str]) -> dict[str, list[str]]:
    """Return a sentence for each key of ``given`` that is not ``known``, with the name that was probably meant."""
    problems: dict[str, list[str]] = {}
    for name in given:
        if name in known:
            continue
        sentence = _("There is no such field.")
        if len(problems) < MOST_HINTS:
            near = [one for one in known if name and one.startswith(name)]
            if near := near or difflib.get_close_matches(name[:_LONGEST_NAME], known, n=1):
                sentence = f"{sentence} {_('Did you mean “%(near)s”?') % {'near': near[0]}}"
        problems[name] = [sentence]
    return problems


def not_one_of(given: str, words: str) -> str:
    """Return the sentence about a value that is none of ``words``."""
    return _("“%(given)s” is none of these: %(words)s.") % {"given": given[:60], "words": words}


def checked(serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    """Return the fields that ``serializer`` was given, valid; raises ValidationError by field."""
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know, so that a misspelt policy is not one that was left out.

    Read-only fields may be sent back; they change nothing.
    """

    def get_fields(self) -> dict[str, Any]:
        """Return the fields; one that takes a few words names them to whoever gave another."""
        fields = super().get_fields()
        for field in fields.values():
            if isinstance(field, serializers.ChoiceField) and not field.read_only:
                words = ", ".join(str(key) for key in field.choices if key != "")
                # The field itself fills in {input}, so no brace of a word may stand there.
                field.error_messages["invalid_choice"] = not_one_of(
                    "{input}", words.replace("{", "{{").replace("}", "}}")
                )
        return fields

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated fields, or raise ValidationError by field, unknown ones included."""
        unknown = unknown_names(data, list(self.fields)) if isinstance(data, Mapping) else {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if unknown and isinstance(error.detail, dict):
                raise serializers.ValidationError({**error.detail, **unknown}) from error
            raise
        if unknown:
            raise serializers.ValidationError(unknown)
        return value


class StrictModelSerializer(StrictSerializer, serializers.ModelSerializer[M]):
    """The same for a model; its moments are given and shown in UTC."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: MomentField,
    }
