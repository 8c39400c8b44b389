"""How the list of executions is narrowed."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.api.filters import CharFilter, ChoiceFilter, FilterSet, IdFilter, MomentFilter, NamespaceFilter
from scheduling.models import Task
from workers.api.execution_serializers import EXECUTION_STATE_CHOICES
from workers.domain.states import ExecutionState
from workers.models import Execution, Node
from workers.models.execution import ExecutionQuerySet


class ExecutionFilter(FilterSet):
    """The query string of `GET /executions/`."""

    namespace = NamespaceFilter()
    instance = IdFilter(field_name="instance_id", label=_("the instance's id"))
    task = IdFilter(method="narrow_to_task", label=_("the task's id"))
    task_name = CharFilter(method="narrow_to_task_named", label=_("the present name of a task"))
    handler = CharFilter(field_name="task__handler", label=_("the task's present handler"))
    node = CharFilter(method="narrow_to_node_named", label=_("the node's name"))
    state = ChoiceFilter(method="narrow_to_state", choices=EXECUTION_STATE_CHOICES)
    scheduled_from = MomentFilter(field_name="scheduled_for", lookup_expr="gte", label=_("from this moment on"))
    scheduled_to = MomentFilter(field_name="scheduled_for", lookup_expr="lt", label=_("before this moment"))

    class Meta:
        model = Execution
        fields: list[str] = []

    def narrow_to_state(self, queryset: ExecutionQuerySet, name: str, value: str) -> Any:
        """Keep the executions in the state."""
        return queryset.in_state(ExecutionState(value))

    def narrow_to_task(self, queryset: ExecutionQuerySet, name: str, value: int) -> Any:
        """Keep the executions of one task."""
        return queryset.of_tasks([int(value)])

    # Names are looked up first: of a name that is joined the server does not know how rare it is in the history.

    def narrow_to_task_named(self, queryset: ExecutionQuerySet, name: str, value: str) -> Any:
        """Keep the executions of the tasks with that name, of which each namespace may have one."""
        return queryset.of_tasks(list(Task.objects.filter(name=value).order_by().values_list("pk", flat=True)))

    def narrow_to_node_named(self, queryset: ExecutionQuerySet, name: str, value: str) -> Any:
        """Keep the executions of the node with that name."""
        return queryset.filter(node_id__in=list(Node.objects.filter(name=value).values_list("pk", flat=True)))
