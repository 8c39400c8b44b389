"""How lists are narrowed by the query string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import django_filters  # type: ignore[import-untyped]  # the package ships no types
from django import forms
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from django_filters import BooleanFilter, CharFilter, ChoiceFilter
from django_filters.rest_framework import (  # type: ignore[import-untyped]  # the package ships no types
    DjangoFilterBackend,
)
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.serializers import unknown_names

__all__ = [
    "BooleanFilter",
    "CharFilter",
    "ChoiceFilter",
    "FilterSet",
    "IdFilter",
    "MomentFilter",
    "StrictFilterBackend",
    "refuse_unknown",
]

#: What a query string may hold besides the filters.
_ALWAYS = ("cursor", "page_size", "format", "lang")

# A plus sign that was not percent-encoded arrives as a space.
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$")


class FilterSet(django_filters.FilterSet):  # type: ignore[misc]  # the package ships no types
    """The filters of one list; each is declared."""


class StrictFilterBackend(DjangoFilterBackend):  # type: ignore[misc]  # the package ships no types
    """Refuses parameters that no filter reads: a misspelt filter would otherwise return everything."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        """Return the narrowed queryset. Raises ValidationError by parameter."""
        filterset_class = self.get_filterset_class(view, queryset)
        if filterset_class is not None:
            refuse_unknown(request.query_params, filterset_class.base_filters)
        narrowed: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return narrowed


def refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise ValidationError when the query string holds a parameter that is not ``known``."""
    if problems := unknown_names(given, [*known, *_ALWAYS]):
        raise ValidationError(problems)


class AwareMomentField(forms.Field):
    """A moment with its offset."""

    default_error_messages = {
        "invalid": _("Give a moment such as 2026-03-01T08:00:00Z."),
        "naive": _("This moment needs a time zone, for example 2026-03-01T08:00:00Z."),
    }

    def to_python(self, value: Any) -> datetime | None:
        """Return the moment, or None when none was given."""
        if value in self.empty_values:
            return None
        try:
            moment = parse_datetime(_LOST_PLUS.sub(r"+\1", str(value).strip()))
        except ValueError:
            moment = None
        if moment is None:
            raise forms.ValidationError(self.error_messages["invalid"])
        if moment.utcoffset() is None:
            raise forms.ValidationError(self.error_messages["naive"])
        return moment


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentFilter(django_filters.Filter):  # type: ignore[misc]  # the package ships no types
    """Compares with a moment."""

    field_class = AwareMomentField


@extend_schema_field(OpenApiTypes.INT64)
class IdFilter(django_filters.Filter):  # type: ignore[misc]  # the package ships no types
    """Compares with an id."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=2**63 - 1, **kwargs)
