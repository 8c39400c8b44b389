"""Rows that stay as they are until the transaction ends: those that are changed, and those that they refer to.

A foreign key is checked at the commit only, so it keeps nobody from deleting meanwhile what is about to be used.
Whoever deletes or moves something asks for `locked` first, whoever begins to use it for `held`: the later of the two
waits for the earlier and sees what it did. Tasks are locked before what they use.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext as _
from psycopg import sql

from scheduling.models import Calendar, Pool, Task

#: The lock that lets several tasks begin to use the same thing at once; Django has no word for it.
_HOLD = sql.SQL("SELECT id, namespace_id FROM {} WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE")

Definition = TypeVar("Definition", Calendar, Pool, Task)


def locked(definition: Definition, *, for_deletion: bool = True) -> Definition:
    """Return ``definition`` as it is stored now, locked until the transaction ends.

    ``for_deletion`` also waits for those who hold it, and makes them wait. Raises ValidationError when it was deleted.
    """
    model = type(definition)
    rows = model._default_manager.select_for_update(of=("self",), no_key=not for_deletion).select_related("namespace")
    found: Definition | None = rows.filter(pk=definition.pk).first()
    if found is None:
        raise ValidationError(_gone(definition))
    return found


def held(field: str, used: Iterable[Calendar | Pool]) -> None:
    """Keep what a task begins to use, all of one kind, from being deleted or moved until the transaction ends.

    Each gets the namespace that it has now. Raises ValidationError for ``field`` when one was deleted.
    """
    by_id = {each.pk: each for each in used}
    if not by_id:
        return
    table = sql.Identifier(next(iter(by_id.values()))._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(_HOLD.format(table), [list(by_id)])
        namespaces = dict(cursor.fetchall())
    for pk, each in by_id.items():
        if pk not in namespaces:
            raise ValidationError({field: [_gone(each)]})
        if each.namespace_id != namespaces[pk]:
            each.namespace_id = namespaces[pk]


def _gone(definition: Calendar | Pool | Task) -> str:
    return _("“%(name)s” was deleted meanwhile.") % {"name": definition.name}
