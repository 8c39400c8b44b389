"""How the list of tasks is narrowed."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.api.filters import BooleanFilter, CharFilter, ChoiceFilter, FilterSet, NamespaceFilter
from scheduling.models import Task
from scheduling.models.task import TaskQuerySet
from scheduling.task_state import TASK_STATE_CHOICES, TASKS_IN_STATE, TaskState


class TaskFilter(FilterSet):
    """The query string of `GET /tasks/`."""

    namespace = NamespaceFilter()
    name = CharFilter(label=_("exactly this name"))
    search = CharFilter(method="narrow_to_text", label=_("part of the name or description"))
    handler = CharFilter()
    queue = CharFilter()
    pool = CharFilter(field_name="pool__name", label=_("the pool's name"))
    enabled = BooleanFilter()
    trigger = ChoiceFilter(choices=Task._meta.get_field("trigger").choices)
    state = ChoiceFilter(method="narrow_to_state", choices=TASK_STATE_CHOICES)

    class Meta:
        model = Task
        fields: list[str] = []

    def narrow_to_text(self, queryset: TaskQuerySet, name: str, value: str) -> Any:
        """Keep the tasks whose name or description contains the text."""
        return queryset.filter(Q(name__icontains=value) | Q(description__icontains=value))

    def narrow_to_state(self, queryset: TaskQuerySet, name: str, value: str) -> Any:
        """Keep the tasks that stand so now."""
        return queryset.filter(TASKS_IN_STATE[TaskState(value)])
