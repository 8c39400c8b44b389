"""What people's interfaces read of workers: nouns, each limited to what the reader may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import DateTimeField, Func

from scheduling.domain.fleet import LiveNode
from workers.domain.states import NodeHealth, NodeState
from workers.models import Connection, Execution, Node


@dataclass(frozen=True, slots=True)
class EndedExecution:
    """One ended execution, as a line of a table."""

    execution_id: int
    task: str
    scheduled_for: datetime
    started_at: datetime
    finished_at: datetime
    state: str
    message: str

    @property
    def lateness_seconds(self) -> float:
        """From the nominal moment to the start."""
        return (self.started_at - self.scheduled_for).total_seconds()

    @property
    def duration_seconds(self) -> float:
        """From the start to the end."""
        return (self.finished_at - self.started_at).total_seconds()


def ended_executions(*, namespace_id: int, since: datetime) -> list[EndedExecution]:
    """The executions of a namespace that ended after ``since``, oldest end first."""
    ended = Execution.objects.filter(namespace=namespace_id, finished_at__gt=since).select_related("task")
    return [
        EndedExecution(
            x.pk, x.task.name, x.scheduled_for, x.started_at, x.finished_at or x.started_at, x.state, x.message
        )
        for x in ended.order_by("finished_at", "id")
    ]


def live_nodes() -> list[LiveNode]:
    """The nodes whose heartbeat is fresh by the database's clock, by name; those that drain included."""
    nodes = Node.objects.exclude(state=NodeState.STOPPED.value)
    return [
        LiveNode(
            name=node.name,
            queues=frozenset(node.queues),
            handlers=frozenset(node.handlers),
            slots=node.slots,
            busy=node.busy,
            draining=health is NodeHealth.DRAINING,
        )
        for node in nodes.annotate(asked_at=Func(function="clock_timestamp", output_field=DateTimeField()))
        if (health := node.health(node.asked_at)) in {NodeHealth.ONLINE, NodeHealth.DRAINING}
    ]


def names_of_connections(namespace_id: int) -> list[str]:
    """Return the names of a namespace's connections, in alphabetical order."""
    return list(Connection.objects.filter(namespace_id=namespace_id).order_by("name").values_list("name", flat=True))
