"""Drain a node, and let it go on."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Namespace, User
from accounts.permissions import Somebody, permitted_ids
from accounts.roles import Action
from scheduling.db import callers_connection
from scheduling.notify import announce_on_commit
from workers.engine.hold import hold, release
from workers.exceptions import WorkerError
from workers.models import Node


class UnknownNode(WorkerError):
    """No worker has ever registered under that name."""

    def __init__(self, name: str) -> None:
        super().__init__(_("There is no node called “%(name)s”.") % {"name": name})


def may_drain(user: Somebody) -> bool:
    """Tell whether ``user`` may drain nodes: who may operate in every namespace, because a node serves them all."""
    if isinstance(user, User) and user.is_active and user.is_superuser:
        return True
    allowed = permitted_ids(user, Action.OPERATE)
    return bool(allowed) and not Namespace.objects.exclude(pk__in=allowed).exists()


def drain_node(name: str, *, actor: User | None = None, reason: str = "") -> None:
    """Have the node ``name`` finish what it runs and take nothing more, until `resume_node`.

    Its worker ends with exit code 0; one that is started under the name waits. Draining twice changes nothing but
    the reason. Raises UnknownNode and PermissionDenied. ``actor`` None is the system itself.
    """
    _require(actor)
    by = actor.get_username() if actor is not None else _("the system")
    with transaction.atomic():
        if not hold(callers_connection(), name=name, by=by, reason=reason):
            raise UnknownNode(name)
        announce_on_commit(control=True)


def resume_node(name: str, *, actor: User | None = None) -> bool:
    """Let the node ``name`` take work again; False when it was not held. Raises UnknownNode and PermissionDenied."""
    _require(actor)
    with transaction.atomic():
        if not release(callers_connection(), name=name):
            if not Node.objects.filter(name=name).exists():
                raise UnknownNode(name)
            return False
        announce_on_commit(control=True)
    return True


def _require(actor: User | None) -> None:
    if actor is not None and not may_drain(actor):
        raise PermissionDenied(
            _("A node serves every namespace, so draining one takes the role of operator in each of them.")
        )
