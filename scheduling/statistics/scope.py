"""Scope: whose numbers are asked for, within what the reader may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from accounts.models import User
from accounts.permissions import Somebody, permitted_ids, permitted_namespaces


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Namespaces, and one task or all."""

    #: None: all namespaces that there are.
    namespace_ids: tuple[int, ...] | None
    task_id: int | None = None

    @property
    def params(self) -> dict[str, Any]:
        """What the statements take: `namespaces` (NULL: all) and `task` (NULL: all)."""
        ids = None if self.namespace_ids is None else list(self.namespace_ids)
        return {"namespaces": ids, "task": self.task_id}

    def narrow(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows with a namespace and a task of this scope."""
        if self.namespace_ids is not None:
            queryset = queryset.filter(namespace_id__in=self.namespace_ids)
        return queryset if self.task_id is None else queryset.filter(task_id=self.task_id)


def scope_of(user: Somebody, *, namespace: str | None = None, task_id: int | None = None) -> Scope:
    """Return the scope of ``user``: what he may see, of the ``namespace`` of that name only if one is given.

    A namespace that does not exist, or that he may not see, leaves nothing.
    """
    if namespace is None and isinstance(user, User) and user.is_active and user.is_superuser:
        return Scope(namespace_ids=None, task_id=task_id)
    if namespace is None:
        return Scope(namespace_ids=tuple(sorted(permitted_ids(user))), task_id=task_id)
    permitted = permitted_namespaces(user).filter(name=namespace)
    return Scope(namespace_ids=tuple(permitted.values_list("pk", flat=True)), task_id=task_id)
