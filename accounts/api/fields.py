"""Fields that mean the same wherever the API shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.timezone import is_naive
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import DEFAULT_NAMESPACE, Namespace, User
from accounts.permissions import permitted_namespaces


class MomentField(serializers.DateTimeField):
    """A moment: ISO 8601 with its offset on the way in, in UTC (`…Z`) on the way out.

    A local time without an offset is refused: whose local time it is would be a guess.
    """

    default_error_messages = {
        "naive": _("This moment needs a time zone, for example 2026-03-01T08:00:00Z."),
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("default_timezone", UTC)
        super().__init__(**kwargs)

    def enforce_timezone(self, value: datetime) -> datetime:
        """Return the moment in UTC; one without an offset is a validation error."""
        if is_naive(value):
            self.fail("naive")
        return super().enforce_timezone(value)


@extend_schema_field({"type": "string", "example": "default"})
class NamespaceField(serializers.SlugRelatedField[Namespace]):
    """A namespace by its name; those that the user may not see do not exist."""

    default_error_messages = {
        "does_not_exist": _("There is no namespace “{value}”, or you may not see it."),
        "invalid": _("A namespace is given by its name."),
    }

    def __init__(self, **kwargs: Any) -> None:
        if not kwargs.get("read_only"):
            kwargs["queryset"] = Namespace.objects.none()
        super().__init__(slug_field="name", **kwargs)

    def get_queryset(self) -> QuerySet[Namespace]:
        """Return the namespaces among which the name is looked for."""
        return permitted_namespaces(self.context["request"].user)

    def to_internal_value(self, data: Any) -> Namespace:
        """Return the namespace of that name."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


def default_namespace(user: User) -> Namespace:
    """Return the namespace of what names none; raises ValidationError when there is none that ``user`` may see.

    What it holds is then not looked at: an answer about it would say what is there.
    """
    found = permitted_namespaces(user).filter(name=DEFAULT_NAMESPACE).first()
    if found is None:
        sentence = _("Say in which namespace; there is none called “default”, or you may not see it.")
        raise serializers.ValidationError({"namespace": [sentence]})
    return found
