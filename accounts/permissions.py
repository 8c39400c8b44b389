"""The only place that answers "may they?" and "what may they see?"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import Membership, Namespace, User
from accounts.roles import Action, roles_that_may

Somebody = User | AnonymousUser
Q = TypeVar("Q", bound=QuerySet[Any, Any])

#: The roles that were read while the current request is answered, by user and namespace; None outside of requests.
_remembered: ContextVar[dict[int, dict[int, str]] | None] = ContextVar("rota_remembered_roles", default=None)


@contextmanager
def roles_remembered() -> Iterator[None]:
    """Read each user's roles at most once within the block, which should be no longer than one request."""
    token = _remembered.set({})
    try:
        yield
    finally:
        _remembered.reset(token)


def permitted_namespaces(user: Somebody, action: Action = Action.VIEW) -> QuerySet[Namespace]:
    """Return the namespaces in which ``user`` may do ``action``; none for somebody who is not logged in."""
    if not isinstance(user, User) or not user.is_active:
        return Namespace.objects.none()
    if user.is_superuser:
        return Namespace.objects.all()
    return Namespace.objects.filter(
        memberships__in=Membership.objects.filter(user=user, role__in=roles_that_may(action))
    )


def permitted_ids(user: Somebody, action: Action = Action.VIEW) -> frozenset[int]:
    """Return the ids of the namespaces in which ``user`` may do ``action``."""
    if not isinstance(user, User) or not user.is_active or user.is_superuser:
        return frozenset(permitted_namespaces(user, action).order_by().values_list("pk", flat=True))
    known = _remembered.get()
    held = None if known is None else known.get(user.pk)
    if held is None:
        held = dict(Membership.objects.filter(user=user).values_list("namespace_id", "role"))
        if known is not None:
            known[user.pk] = held
    allowed = roles_that_may(action)
    return frozenset(pk for pk, role in held.items() if role in allowed)


def visible_to(user: Somebody, queryset: Q, *, path: str = "namespace") -> Q:
    """Narrow ``queryset`` to the rows whose namespace ``user`` may see.

    Every read for people goes through this function. ``path`` is the lookup that leads from the model
    to its namespace.
    """
    if isinstance(user, User) and user.is_active and user.is_superuser:
        return queryset
    # Ids, not a sub-query: the planner then prunes on a short constant list.
    return queryset.filter(**{f"{path}__in": sorted(permitted_ids(user))})


def may(user: Somebody, action: Action, namespace: Namespace | int) -> bool:
    """Tell whether ``user`` may do ``action`` in ``namespace``."""
    pk = namespace if isinstance(namespace, int) else namespace.pk
    return permitted_namespaces(user, action).filter(pk=pk).exists()


def require(user: Somebody | None, action: Action, namespace: Namespace | int) -> None:
    """Raise PermissionDenied unless ``user`` may do ``action``; ``None`` is the system itself, which may."""
    if user is not None and not may(user, action, namespace):
        raise PermissionDenied(_("You may not do this in this namespace."))
