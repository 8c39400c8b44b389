"""Versions of a definition: what changed from one to the next, and going back to an earlier one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.models import User
from scheduling.domain.param_secrets import MASK
from scheduling.models import Pool, Task, TaskRevision
from scheduling.services.definitions.fields import canonical, task_fields
from scheduling.services.row_locks import locked
from scheduling.services.shown_params import shown_params
from scheduling.services.tasks import save_task

#: What a version says and restoring it leaves alone: whether the task is paused is no part of its definition.
_KEPT = frozenset({"enabled"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldChange:
    """One value that differs between two versions. Texts are fit for showing: secrets are hidden.

    ``path`` leads to a value within the params, key by key; it is empty for a field of the task.
    """

    field: str
    label: str
    path: tuple[str, ...]
    before: str
    after: str


def revision_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """Return what differs between two stored definitions, field by field, the params value by value."""
    changes: list[FieldChange] = []
    for name, field in _fields().items():
        old, new = before.get(field.attname), after.get(field.attname)
        label = capfirst(str(field.verbose_name))
        if name == "params":
            pairs = zip(_values(before), _values(after), strict=True)
            (shown_old, shown_new), (real_old, real_new) = pairs
            for path in sorted({*real_old, *real_new}):
                if _comparable(real_old, path) != _comparable(real_new, path):
                    texts = _two(shown_old.get(path, _ABSENT), shown_new.get(path, _ABSENT))
                    changes.append(FieldChange(field=name, label=label, path=path, before=texts[0], after=texts[1]))
        elif _value(field, old) != _value(field, new):
            changes.append(
                FieldChange(field=name, label=label, path=(), before=_text(field, old), after=_text(field, new))
            )
    return changes


@transaction.atomic
def restore_revision(task: Task, version: int, *, actor: User | None = None) -> Task:
    """Store what ``task`` said at ``version`` as its newest version, checked like any other edit.

    Its namespace, its calendars and whether it is paused stay as they are: a version does not say them. Raises
    ValidationError by field, or PermissionDenied; then nothing is stored.
    """
    revision = TaskRevision.objects.filter(task=task.pk, version=version).first()
    if revision is None:
        raise ValidationError(_("There is no version %(version)d of this task.") % {"version": version})
    # Locked, so that whoever pauses the task meanwhile is not overruled.
    restored = locked(task, for_deletion=False)
    restored.name = revision.definition.get("name", restored.name)
    for field in _fields().values():
        if field.attname in revision.definition:
            setattr(restored, field.attname, field.to_python(revision.definition[field.attname]))
        else:
            # The column is younger than the version.
            setattr(restored, field.attname, field.get_default())
    if restored.pool_id is not None and not Pool.objects.filter(pk=restored.pool_id).exists():
        raise ValidationError({"pool": _("The pool of version %(version)d was deleted.") % {"version": version}})
    return save_task(restored, actor=actor)


_ABSENT = object()

_Values = dict[tuple[str, ...], Any]


def _fields() -> dict[str, models.Field[Any, Any]]:
    name: models.Field[Any, Any] = Task._meta.get_field("name")
    return {"name": name, **{key: field for key, field in task_fields().items() if key not in _KEPT}}


def _comparable(values: _Values, path: tuple[str, ...]) -> Any:
    """Return the value at ``path`` for comparing; None where there is none."""
    return canonical(values[path]) if path in values else None


def _values(definition: Mapping[str, Any]) -> tuple[_Values, _Values]:
    """Return the params' values by path, twice: as they may be shown, and as they are."""
    params = definition.get("params")
    if not isinstance(params, Mapping):
        return {}, {}
    shown = shown_params(str(definition.get("handler", "")), params)
    return dict(_leaves(shown, ())), dict(_leaves(params, ()))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and (value or not path):
        for key in value:
            yield from _leaves(value[key], (*path, str(key)))
    else:
        yield path, value


def _two(before: Any, after: Any) -> tuple[str, str]:
    if MASK == before == after:
        return MASK, _("%(mask)s (another one)") % {"mask": MASK}
    return _param_text(before), _param_text(after)


def _param_text(value: Any) -> str:
    if value is _ABSENT:
        return ""
    return value if isinstance(value, str) else _json(value)


def _value(field: models.Field[Any, Any], stored: Any) -> Any:
    return field.to_python(stored) if stored is not None else None


def _text(field: models.Field[Any, Any], stored: Any) -> str:
    if stored in (None, "", []):
        return ""
    if isinstance(field, models.ForeignKey):
        return Pool.objects.filter(pk=stored).values_list("name", flat=True).first() or f"#{stored}"
    if field.flatchoices:
        return str(dict(field.flatchoices).get(stored, stored))
    if isinstance(stored, bool):
        return _("yes") if stored else _("no")
    if isinstance(stored, list):
        return ", ".join(map(str, stored))
    return str(stored)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
