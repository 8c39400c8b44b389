"""How a client logs in: a short-lived access token, and a refresh token that draws new ones."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from accounts.api.responses import INVALID, problem

_REFUSED = problem(
    "The name or the password is wrong, or the user is not active.",
    OpenApiExample("Refused", value={"detail": "No active account found with the given credentials"}),
)


class ObtainTokenView(TokenObtainPairView):
    """Exchanges a user's name and password for a pair of tokens."""

    @extend_schema(
        operation_id="obtain_token",
        tags=["auth"],
        summary="Log in",
        description="Send `access` with each request, as `Authorization: Bearer …`. It lives 30 minutes.",
        auth=[],
        responses={200: TokenObtainPairView.serializer_class, 400: INVALID, 401: _REFUSED},
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return an access token and a refresh token."""
        return super().post(request, *args, **kwargs)


class RefreshTokenView(TokenRefreshView):
    """Draws a new access token."""

    @extend_schema(
        operation_id="refresh_token",
        tags=["auth"],
        summary="Get a new access token",
        description="The refresh token lives one day.",
        auth=[],
        responses={200: TokenRefreshView.serializer_class, 400: INVALID, 401: _REFUSED},
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a new access token."""
        return super().post(request, *args, **kwargs)
