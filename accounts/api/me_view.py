"""Who is asking, and how they want to be spoken to."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import RetrieveUpdateAPIView

from accounts.api.actor import actor_of
from accounts.api.responses import INVALID, UNAUTHENTICATED
from accounts.api.serializers import StrictModelSerializer
from accounts.models import Membership, User


class RoleSerializer(serializers.ModelSerializer[Membership]):
    """What the user may do in one namespace."""

    namespace = serializers.SlugRelatedField[Any](slug_field="name", read_only=True)

    class Meta:
        model = Membership
        fields = ["namespace", "role"]


class MeSerializer(StrictModelSerializer[User]):
    """The user whose token or session the request carries."""

    roles = RoleSerializer(source="memberships", many=True, read_only=True)

    class Meta:
        model = User
        fields = ["username", "email", "is_superuser", "roles", "language", "time_zone"]
        read_only_fields = ["username", "email", "is_superuser"]


@extend_schema(tags=["auth"])
class MeView(RetrieveUpdateAPIView[User]):
    """The caller's own user."""

    serializer_class = MeSerializer
    http_method_names = ["get", "patch", "head", "options"]

    def get_object(self) -> User:
        """Return the caller."""
        return actor_of(self.request)

    @extend_schema(
        operation_id="get_me",
        summary="Who am I",
        responses={200: MeSerializer, 401: UNAUTHENTICATED},
    )
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the caller with roles and preferences."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="update_me",
        summary="Change my language or time zone",
        description=(
            "Both hold for the pages of the admin. What the API says comes in the language of the request's "
            "`Accept-Language`, and its moments in UTC."
        ),
        responses={200: MeSerializer, 400: INVALID, 401: UNAUTHENTICATED},
    )
    def patch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Keep the preferences that were sent."""
        return super().patch(request, *args, **kwargs)
