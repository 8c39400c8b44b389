"""The filters of the lists of tasks and of their history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.admin.filters import KnownChoiceFilter
from accounts.permissions import permitted_ids
from accounts.whole_numbers import BIGGEST_INTEGER, whole_number
from scheduling.domain.handlers import catalogue
from scheduling.domain.states import FINAL_STATES, InstanceState
from scheduling.models import QueueEntry, Task, TaskInstance
from scheduling.models.instance import STATE_LABELS
from scheduling.narrowing import Choices, choices_within, narrow_to_tasks
from scheduling.task_state import TASK_STATE_LABELS, TASKS_IN_STATE, TaskState

#: A list of more tasks than this is no help to choose from; the search box is.
MOST_CHOICES = 100

_CHOICES = "_rota_choices"


#: How far back each range of `TimeRangeFilter` reaches; any time has no end.
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
DEFAULT_RANGE, ANY_TIME = "24h", "all"


def reach_of(request: HttpRequest) -> timedelta | None:
    """Return how far back a list looks by the range that applies to it; None for any time.

    Who looks into other partitioned tables for the rows of the list needs not look further.
    """
    return SPANS.get(_range_of(request))


def _range_of(request: HttpRequest) -> str:
    asked = request.GET.get("range")
    if asked in {*SPANS, ANY_TIME}:
        return str(asked)
    narrow = (
        request.GET.get("q", "").strip().removeprefix("#").isdecimal()
        or request.GET.get("state") in {each.value for each in InstanceState if each not in FINAL_STATES}
        or not {"instance", "pool", "failed"}.isdisjoint(request.GET)
    )
    return ANY_TIME if narrow else DEFAULT_RANGE


def _choices(request: HttpRequest) -> Choices:
    """Return what the reader may choose from, read once for all filters of a page."""
    known: Choices | None = request.__dict__.get(_CHOICES)
    if known is None:
        superuser = bool(getattr(request.user, "is_superuser", False))
        known = choices_within(None if superuser else permitted_ids(request.user), most=MOST_CHOICES)
        request.__dict__[_CHOICES] = known
    return known


class TaskStateFilter(KnownChoiceFilter):
    """Enabled, paused, finished, error."""

    title = _("state")
    parameter_name = "state"
    pills = True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the states."""
        return [(state.value, word) for state, word in TASK_STATE_LABELS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        """Narrow to the chosen state."""
        chosen = self.chosen()
        return queryset if chosen is None else queryset.filter(TASKS_IN_STATE[TaskState(chosen)])


class HandlerFilter(KnownChoiceFilter):
    """The handlers of this installation."""

    title = _("handler")
    parameter_name = "handler"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the installed handlers."""
        return [(name, spec.label) for name in catalogue.names() if (spec := catalogue.get(name))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        """Narrow to the chosen handler."""
        chosen = self.chosen()
        return queryset if chosen is None else queryset.filter(handler=chosen)


class QueueFilter(KnownChoiceFilter):
    """The queues that tasks name."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the queues of the tasks that the reader sees."""
        return [(name, name) for name in _choices(request).queues]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        """Narrow to the chosen queue."""
        chosen = self.chosen()
        return queryset if chosen is None else queryset.filter(queue=chosen)


class TimeRangeFilter(KnownChoiceFilter):
    """How far back to look by `scheduled_for`: the key of the partitions, so it says how much is read.

    Without a choice it is a day. A question that finds its few rows by another index is answered whole:
    a number in the search box, a live state, one instance, a pool, what failed since yesterday.
    """

    title = _("time")
    parameter_name = "range"
    pills = True

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self._chosen = _range_of(request)
        super().__init__(request, *args)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the ranges."""
        return [
            ("1h", _("last hour")),
            ("24h", _("last 24 hours")),
            ("7d", _("last 7 days")),
            ("30d", _("last 30 days")),
            ("all", _("any time")),
        ]

    def chosen(self) -> str:
        """Return the range that applies."""
        return self._chosen

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield one link for each range; there is no further "all"."""
        for value, label in self.lookup_choices:
            yield {
                "selected": self.chosen() == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": label,
            }

    def loosened(self, changelist: Any) -> tuple[str, str] | None:
        """Return the range, also where nobody chose it, and the address of the list without one."""
        chosen = self.chosen()
        if chosen == ANY_TIME:
            return None
        label = next(str(label) for key, label in self.lookup_choices if key == chosen)
        return label, changelist.get_query_string({self.parameter_name: ANY_TIME}, remove=["p"])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Leave out what is older than the range."""
        reach = SPANS.get(self.chosen())
        return queryset if reach is None else queryset.filter(scheduled_for__gte=timezone.now() - reach)


class InstanceStateFilter(KnownChoiceFilter):
    """The states of an instance."""

    title = _("state")
    parameter_name = "state"
    pills = True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the states."""
        return [(state.value, label) for state, label in STATE_LABELS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskInstance]) -> QuerySet[TaskInstance]:
        """Narrow to the chosen state."""
        chosen = self.chosen()
        if chosen is None:
            return queryset
        found: QuerySet[TaskInstance] = queryset.in_state(InstanceState(chosen))  # type: ignore[attr-defined]  # TaskInstanceQuerySet
        return found


class FailedFilter(KnownChoiceFilter):
    """What failed since yesterday's midnight, one click away. The index of failures answers it, however old it is."""

    title = _("failures")
    parameter_name = "failed"
    pills = True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the one choice."""
        return [("yesterday", _("failed since yesterday"))]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield the choice; choosing it again takes it back."""
        for value, label in self.lookup_choices:
            selected = self.chosen() == value
            query = (
                changelist.get_query_string(remove=[self.parameter_name, "p"])
                if selected
                else changelist.get_query_string({self.parameter_name: value}, remove=["range", "state", "p"])
            )
            yield {"selected": selected, "query_string": query, "display": label}

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskInstance]) -> QuerySet[TaskInstance]:
        """Narrow to failures since the midnight before the last one, on the reader's wall clock."""
        if self.chosen() is None:
            return queryset
        today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        return queryset.filter(failed_at__gte=today - timedelta(days=1))


class TaskQueueFilter(QueueFilter):
    """History by the queue that its task uses today."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the tasks of that queue."""
        chosen = self.chosen()
        if chosen is None:
            return queryset
        tasks = Task.objects.visible_to(request.user).filter(queue=chosen)
        return narrow_to_tasks(
            queryset, tasks.values_list("pk", flat=True), also=tasks.filter(pk=OuterRef("task_id")).order_by()
        )


class TaskFilter(KnownChoiceFilter):
    """One task. Of many tasks only the chosen one is offered; links and the search box lead to it."""

    title = _("task")
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the visible tasks, when there are few."""
        choices = sorted(((str(pk), name) for pk, name in _choices(request).tasks), key=lambda choice: choice[1])
        wanted = request.GET.get(self.parameter_name, "")
        if len(choices) > MOST_CHOICES:
            named = Task.objects.visible_to(request.user).filter(pk=wanted) if _is_id(wanted) else ()
            choices = [(str(task.pk), task.name) for task in named]
        if _is_id(wanted) and wanted not in {key for key, _name in choices}:
            # A deleted task has a history still; whose it is, the list's own rows say.
            choices.append((wanted, f"#{wanted}"))
        return choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the chosen task, newest tick first: that is the order of the index that finds them."""
        chosen = self.chosen()
        return self.narrowed(queryset, int(chosen)) if chosen is not None and _is_id(chosen) else queryset

    def narrowed(self, queryset: QuerySet[Any], task_id: int) -> QuerySet[Any]:
        """Return the rows of that task."""
        return queryset.filter(task_id=task_id)


def _is_id(text: str) -> bool:
    return whole_number(text, most=BIGGEST_INTEGER) is not None


class PoolFilter(KnownChoiceFilter):
    """What has a place in a pool or waits for one; what has ended has none any more."""

    title = _("pool (unfinished)")
    parameter_name = "pool"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the pools that the reader sees."""
        return [(str(pk), name) for pk, name in _choices(request).pools]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the chosen pool, by the small queue."""
        chosen = self.chosen()
        if chosen is None:
            return queryset
        return queryset.filter(id__in=QueueEntry.objects.filter(pool_id=int(chosen)).values("instance_id"))


class BackfillFilter(KnownChoiceFilter):
    """What one backfill made; only links lead here."""

    title = _("backfill")
    parameter_name = "backfill"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the backfill that was asked for."""
        wanted = request.GET.get(self.parameter_name, "")
        return [(wanted, f"#{int(wanted)}")] if _is_id(wanted) else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to its instances."""
        chosen = self.chosen()
        return queryset if chosen is None else queryset.filter(backfill_id=int(chosen))
