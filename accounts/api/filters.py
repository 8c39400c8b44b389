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
from django_filters import CharFilter
from django_filters.rest_framework import (  # type: ignore[import-untyped]  # the package ships no types
    DjangoFilterBackend,
)
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.serializers import not_one_of, unknown_names
from accounts.permissions import Somebody, permitted_namespaces

__all__ = [
    "BooleanFilter",
    "CharFilter",
    "ChoiceFilter",
    "FilterSet",
    "IdFilter",
    "MomentFilter",
    "NamespaceFilter",
    "StrictFilterBackend",
    "refuse_unknown",
]

#: What a query string may hold besides the filters.
_ALWAYS = ("cursor", "page_size", "format", "lang")

#: So many namespaces are named to somebody who asked for another one.
_NAMED = 20

#: So much of what was given is said again.
_SHOWN = 60

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


class NamedChoiceField(django_filters.fields.ChoiceField):  # type: ignore[misc]  # the package ships no types
    """One of a few words; an error names them all."""

    def validate(self, value: Any) -> None:
        """Raise ValidationError, which says which words there are, for any other."""
        words = [str(key) for key, _label in self.choices if key]
        if value and str(value) not in words:
            raise forms.ValidationError(not_one_of(str(value), ", ".join(words)))
        super().validate(value)


class ChoiceFilter(django_filters.ChoiceFilter):  # type: ignore[misc]  # the package ships no types
    """Compares with one of a few words; ``choices`` are pairs of the word and what it means."""

    field_class = NamedChoiceField


class YesOrNoField(forms.Field):
    """`true` or `false`."""

    def to_python(self, value: Any) -> bool | None:
        """Return what was said, or None when nothing was."""
        if value in self.empty_values:
            return None
        try:
            return {"true": True, "false": False}[str(value).strip().lower()]
        except KeyError:
            raise forms.ValidationError(not_one_of(str(value), "true, false")) from None


@extend_schema_field(OpenApiTypes.BOOL)
class BooleanFilter(django_filters.Filter):  # type: ignore[misc]  # the package ships no types
    """Compares with `true` or `false`."""

    field_class = YesOrNoField


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


class NamespaceFilter(CharFilter):  # type: ignore[misc]  # the package ships no types
    """Compares with the namespace's name, which must be one that the reader sees."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"field_name": "namespace__name", "label": _("the namespace's name"), **kwargs})

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the narrowed rows. Raises ValidationError."""
        if value:
            require_namespace(self.parent.request.user, value)
        narrowed: QuerySet[Any] = super().filter(qs, value)
        return narrowed


def require_namespace(user: Somebody, name: str) -> None:
    """Raise ValidationError for `namespace` unless ``user`` sees one of that name.

    One that they may not see is answered as one that does not exist.
    """
    seen = permitted_namespaces(user).order_by("name").values_list("name", flat=True)
    if seen.filter(name=name).exists():
        return
    names = list(seen[: _NAMED + 1])
    if not names:
        problem = _("There is no namespace “%(name)s” that you may see, and no other.") % {"name": name[:_SHOWN]}
    else:
        problem = not_one_of(name, ", ".join([*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])]))
    raise ValidationError({"namespace": [problem]})
