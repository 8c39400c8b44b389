"""Names for the rows of the history, whose task may have been deleted."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from scheduling.models import Task, TaskRevision
from scheduling.narrowing import narrow_to_tasks

Q = TypeVar("Q", bound=QuerySet[Any])


def task_name() -> Coalesce:
    """Return the expression for a row's task name: its present one, or the last one of a deleted task."""
    last = TaskRevision.objects.filter(task_id=OuterRef("task_id")).order_by("-version")
    return Coalesce(
        Subquery(Task.objects.filter(pk=OuterRef("task_id")).values("name")),
        Subquery(last.values_list(KeyTextTransform("name", "definition"))[:1]),
        output_field=CharField(),
    )


def task_handler() -> Subquery:
    """Return the expression for an instance's handler, by the version that it was fired with."""
    names = _version_of_instance().values_list(KeyTextTransform("handler", "definition"))
    return Subquery(names, output_field=CharField())


def narrow_to_definition(queryset: Q, name: str, value: str | list[int]) -> Q:
    """Keep the instances whose task said so in the version that they were fired with.

    ``name`` is a column of tasks that holds text, such as ``handler`` or ``queue``, or numbers; of a list, any
    will do.
    """
    says_so = {f"definition__{name}" if isinstance(value, str) else f"definition__{name}__in": value}
    tasks = TaskRevision.objects.filter(**says_so).values_list("task_id", flat=True)
    return narrow_to_tasks(queryset, tasks, also=_version_of_instance().filter(**says_so))


def _version_of_instance() -> QuerySet[TaskRevision]:
    return TaskRevision.objects.filter(task_id=OuterRef("task_id"), version=OuterRef("task_version"))
