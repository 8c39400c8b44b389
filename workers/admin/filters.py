"""The filters of the list of executions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Exists, Func, OuterRef, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.admin.filters import KnownChoiceFilter
from accounts.whole_numbers import BIGGEST_INTEGER, whole_number
from scheduling.admin.filters import TaskFilter, reach_of
from scheduling.domain.states import InstanceState
from workers.admin.node_page import HEALTH_WORDS
from workers.conf import conf
from workers.domain.states import ExecutionState, NodeHealth, NodeState
from workers.models import Execution, Node
from workers.models.execution import EXECUTION_STATE_LABELS

#: More nodes than this are no help to choose from; links from a node's page still work.
MOST_NODES = 100


class ExecutionStateFilter(KnownChoiceFilter):
    """The states of an execution."""

    title = _("state")
    parameter_name = "state"
    pills = True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the states."""
        return [(state.value, label) for state, label in EXECUTION_STATE_LABELS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Execution]) -> QuerySet[Execution]:
        """Narrow to the chosen state."""
        chosen = self.chosen()
        if chosen is None:
            return queryset
        found: QuerySet[Execution] = queryset.in_state(ExecutionState(chosen))  # type: ignore[attr-defined]  # ExecutionQuerySet
        return found


class ExecutionTaskFilter(TaskFilter):
    """The executions of one task."""

    def narrowed(self, queryset: QuerySet[Any], task_id: int) -> QuerySet[Any]:
        """Return the executions of that task."""
        found: QuerySet[Any] = queryset.of_task(task_id)  # type: ignore[attr-defined]  # ExecutionQuerySet
        return found


class NodeFilter(KnownChoiceFilter):
    """The node that ran it."""

    title = _("node")
    parameter_name = "node"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the nodes seen most recently, and the one that was asked for."""
        nodes = list(Node.objects.order_by("-last_seen_at").values_list("pk", "name")[:MOST_NODES])
        wanted = request.GET.get(self.parameter_name, "")
        choices = sorted(((str(pk), name) for pk, name in nodes), key=lambda choice: choice[1])
        if whole_number(wanted, most=BIGGEST_INTEGER) is not None and wanted not in {key for key, _name in choices}:
            choices.append((wanted, f"#{wanted}"))
        return choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Execution]) -> QuerySet[Execution]:
        """Narrow to the chosen node."""
        chosen = self.chosen()
        return queryset if chosen is None else queryset.filter(node_id=int(chosen))


class InstanceNodeFilter(NodeFilter):
    """The nodes that tried an instance, the one that runs it included."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to instances with an attempt there."""
        chosen = self.chosen()
        if chosen is None:
            return queryset
        attempts = Execution.objects.filter(
            instance_id=OuterRef("pk"), scheduled_for=OuterRef("scheduled_for"), node_id=int(chosen)
        )
        if (reach := reach_of(request)) is not None:
            # Bounds of the instances are none of their attempts' to the planner. A little more harms nobody.
            attempts = attempts.filter(scheduled_for__gte=timezone.now() - reach - timedelta(hours=1))
        if request.GET.get("state") == InstanceState.FAILED or "failed" in request.GET:
            # No attempt at it succeeded, and those are few.
            attempts = attempts.filter(rare_state__isnull=False)
        return queryset.filter(Exists(attempts))


class NodeHealthFilter(KnownChoiceFilter):
    """What a node is now, its silence included."""

    title = _("health")
    parameter_name = "health"
    pills = True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the words."""
        return [(health.value, word) for health, word in HEALTH_WORDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Node]) -> QuerySet[Node]:
        """Narrow to the chosen one: the worker's own word, and how long ago it was heard of."""
        chosen = self.chosen()
        if chosen is None:
            return queryset
        if chosen == NodeHealth.STOPPED:
            return queryset.filter(state=NodeState.STOPPED.value)
        oldest = Now() - timedelta(seconds=conf().lease_seconds)
        if chosen == NodeHealth.LOST:
            return queryset.filter(last_seen_at__lt=oldest).exclude(state=NodeState.STOPPED.value)
        return queryset.filter(last_seen_at__gte=oldest, state=chosen)


class NodeQueueFilter(KnownChoiceFilter):
    """The queues that nodes serve, without the one that each serves by its own name."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the queues, by name."""
        served = Node.objects.order_by().annotate(each=Func("queues", function="unnest")).values_list("each", flat=True)
        return [(name, name) for name in sorted(set(served.distinct()[:MOST_NODES])) if not name.startswith("node:")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Node]) -> QuerySet[Node]:
        """Narrow to the nodes that serve the chosen queue."""
        chosen = self.chosen()
        return queryset if chosen is None else queryset.filter(queues__contains=[chosen])


class InstanceFilter(KnownChoiceFilter):
    """The attempts at one instance; only links lead here."""

    title = _("instance")
    parameter_name = "instance"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the instance that was asked for."""
        wanted = request.GET.get(self.parameter_name, "")
        return [(wanted, f"#{wanted}")] if whole_number(wanted) is not None else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Execution]) -> QuerySet[Execution]:
        """Narrow to that instance."""
        chosen = self.chosen()
        return queryset if chosen is None else queryset.filter(instance_id=int(chosen))
