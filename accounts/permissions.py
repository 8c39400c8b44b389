"""The only place that answers "may they?" and "what may they see?"."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import Membership, Namespace, User
from accounts.roles import Action, roles_that_may

Somebody = User | AnonymousUser
Q = TypeVar("Q", bound=QuerySet[Any, Any])


def permitted_namespaces(user: Somebody, action: Action = Action.VIEW) -> QuerySet[Namespace]:
    """Return the namespaces in which ``user`` may do ``action``; none for somebody who is not logged in."""
    if not isinstance(user, User) or not user.is_active:
        return Namespace.objects.none()
    if user.is_superuser:
        return Namespace.objects.all()
    return Namespace.objects.filter(
        memberships__in=Membership.objects.filter(user=user, role__in=roles_that_may(action))
    )


def visible_to(user: Somebody, queryset: Q, *, path: str = "namespace") -> Q:
    """Narrow ``queryset`` to the rows whose namespace ``user`` may see.

    Every read for people goes through this function. ``path`` is the lookup that leads from the model
    to its namespace.
    """
    if isinstance(user, User) and user.is_active and user.is_superuser:
        return queryset
    # Ids, not a sub-query: the planner then prunes on a short constant list.
    ids = list(permitted_namespaces(user).values_list("pk", flat=True))
    return queryset.filter(**{f"{path}__in": ids})


def may(user: Somebody, action: Action, namespace: Namespace | int) -> bool:
    """Tell whether ``user`` may do ``action`` in ``namespace``."""
    pk = namespace if isinstance(namespace, int) else namespace.pk
    return permitted_namespaces(user, action).filter(pk=pk).exists()


def require(user: Somebody | None, action: Action, namespace: Namespace | int) -> None:
    """Raise PermissionDenied unless ``user`` may do ``action``; ``None`` is the system itself, which may."""
    if user is not None and not may(user, action, namespace):
        raise PermissionDenied(_("You may not do this in this namespace."))
