"""What people do to pools: save and delete."""

from __future__ import annotations

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Namespace, User
from accounts.permissions import require
from accounts.roles import Action
from scheduling.models import Pool
from scheduling.services.problems import Problem
from scheduling.services.row_locks import locked

#: So many tasks are named in a sentence.
_NAMED = 5


def find_pool_problems(pool: Pool) -> list[Problem]:
    """Return everything that is wrong with ``pool`` as it stands, saved or not; an empty list when it is sound.

    A pool may become smaller than the weight of its tasks: an instance then takes all of it.
    """
    try:
        pool.full_clean(exclude=["created_at"])
    except ValidationError as error:
        return [
            Problem(field="name" if field == NON_FIELD_ERRORS else field, message=message)
            for field, messages in error.message_dict.items()
            for message in messages
        ]
    return []


def find_pool(namespace: Namespace, name: str) -> Pool:
    """Return the pool of ``namespace`` with this name; raises ValidationError for the field ``pool`` without one."""
    found = Pool.objects.filter(namespace=namespace, name=name).first()
    if found is None:
        raise ValidationError({"pool": [_("There is no pool “%(name)s” in this namespace.") % {"name": name}]})
    return found


@transaction.atomic
def save_pool(pool: Pool, *, actor: User | None = None) -> Pool:
    """Check and store a new or changed pool; what waits for room is looked at again by itself.

    Raises ValidationError by field, or PermissionDenied; then nothing is stored.
    """
    require(actor, Action.ADMINISTER, pool.namespace)
    if pool.pk is not None:
        before = locked(pool)
        require(actor, Action.ADMINISTER, before.namespace_id)
        if before.namespace_id != pool.namespace_id and pool.tasks.exists():
            raise ValidationError({"namespace": [_("Tasks of its namespace use it, so it stays there.")]})
    by_field: dict[str, list[str]] = {}
    for problem in find_pool_problems(pool):
        by_field.setdefault(problem.field, []).append(str(problem))
    if by_field:
        raise ValidationError(by_field)
    pool.save()
    return pool


@transaction.atomic
def delete_pool(pool: Pool, *, actor: User | None = None) -> None:
    """Delete a pool that no task uses; raises ValidationError when one does, and PermissionDenied.

    Otherwise its tasks would suddenly run without the limit that they share.
    """
    require(actor, Action.ADMINISTER, pool.namespace_id)
    locked(pool)
    used_by = list(pool.tasks.order_by("name").values_list("name", flat=True)[: _NAMED + 1])
    if used_by:
        shown = ", ".join(f"“{name}”" for name in used_by[:_NAMED])
        raise ValidationError(
            _("“%(pool)s” is used by %(tasks)s; take it off there first.")
            % {"pool": pool.name, "tasks": f"{shown} …" if len(used_by) > _NAMED else shown}
        )
    pool.delete()
