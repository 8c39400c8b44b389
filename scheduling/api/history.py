"""Names for the rows of the history, whose task may have been deleted."""

from __future__ import annotations

from django.db.models import CharField, Exists, OuterRef, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from scheduling.models import Task, TaskRevision


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
    revision = TaskRevision.objects.filter(task_id=OuterRef("task_id"), version=OuterRef("task_version"))
    return Subquery(revision.values_list(KeyTextTransform("handler", "definition")), output_field=CharField())


def fired_with(**values: str) -> Exists:
    """Return the condition that an instance's version of the task says so, for example ``queue="reports"``."""
    return Exists(
        TaskRevision.objects.filter(
            task_id=OuterRef("task_id"),
            version=OuterRef("task_version"),
            **{f"definition__{name}": value for name, value in values.items()},
        )
    )
