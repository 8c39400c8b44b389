"""Who opened a socket, and what they may see of an execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken

from accounts.models import User
from accounts.permissions import Somebody
from workers.consumers.headers import header
from workers.models import Execution


@dataclass(frozen=True, slots=True)
class Followed:
    """The execution whose log is followed."""

    execution_id: int
    scheduled_for: datetime


def visitor_of(scope: Mapping[str, Any]) -> Somebody:
    """Return the user of the bearer token, or else of the session; AnonymousUser without either.

    A token that is shown counts, and when it is not valid the session does not stand in for it.
    """
    shown = header(scope, b"authorization")
    if not shown:
        user = scope.get("user")
        return user if isinstance(user, User) and user.is_active else AnonymousUser()
    authentication = JWTAuthentication()
    try:
        raw = authentication.get_raw_token(shown.encode("latin-1"))
        if raw is None:
            return AnonymousUser()
        found = authentication.get_user(authentication.get_validated_token(raw))
    except (AuthenticationFailed, InvalidToken):
        return AnonymousUser()
    return found if isinstance(found, User) else AnonymousUser()


def followed(user: Somebody, execution_id: int) -> Followed | None:
    """Return the execution if it exists and ``user``, as stored now, may see it."""
    if not isinstance(user, User):
        return None
    fresh = User.objects.filter(pk=user.pk, is_active=True).first()
    if fresh is None:
        return None
    row = Execution.objects.visible_to(fresh).filter(pk=execution_id).values_list("pk", "scheduled_for").first()
    return None if row is None else Followed(*row)
