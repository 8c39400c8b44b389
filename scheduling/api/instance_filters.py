"""How the list of instances is narrowed."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.api.filters import CharFilter, ChoiceFilter, FilterSet, IdFilter, MomentFilter, NamespaceFilter
from scheduling.api.history import narrow_to_definition
from scheduling.api.instance_serializers import INSTANCE_STATE_CHOICES
from scheduling.domain.states import InstanceState
from scheduling.models import Pool, TaskInstance
from scheduling.models.instance import TaskInstanceQuerySet


class InstanceFilter(FilterSet):
    """The query string of `GET /instances/`."""

    namespace = NamespaceFilter()
    task = IdFilter(field_name="task_id", label=_("the task's id"))
    task_name = CharFilter(field_name="task__name", label=_("the present name of a task"))
    state = ChoiceFilter(method="narrow_to_state", choices=INSTANCE_STATE_CHOICES)
    origin = ChoiceFilter(choices=TaskInstance._meta.get_field("origin").choices)
    handler = CharFilter(method="narrow_to_definition")
    queue = CharFilter(method="narrow_to_definition")
    pool = CharFilter(method="narrow_to_pool", label=_("the name of its task's pool"))
    backfill = IdFilter(field_name="backfill_id", label=_("the backfill that it belongs to"))
    rerun_of = IdFilter(label=_("the instance that was run again"))
    scheduled_from = MomentFilter(field_name="scheduled_for", lookup_expr="gte", label=_("from this moment on"))
    scheduled_to = MomentFilter(field_name="scheduled_for", lookup_expr="lt", label=_("before this moment"))

    class Meta:
        model = TaskInstance
        fields: list[str] = []

    def narrow_to_state(self, queryset: TaskInstanceQuerySet, name: str, value: str) -> Any:
        """Keep the instances that are in the state now."""
        return queryset.in_state(InstanceState(value))

    def narrow_to_definition(self, queryset: TaskInstanceQuerySet, name: str, value: str) -> Any:
        """Keep the instances whose task said so in the version that they were fired with."""
        return narrow_to_definition(queryset, name, value)

    def narrow_to_pool(self, queryset: TaskInstanceQuerySet, name: str, value: str) -> Any:
        """Keep the instances whose task used a pool of this name, in the version that they were fired with."""
        pools = Pool.objects.visible_to(self.request.user).filter(name=value).values_list("pk", flat=True)
        return narrow_to_definition(queryset, "pool_id", list(pools))
