"""Pools: how full they are, who holds their slots, and who waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import actor_of
from accounts.admin.cells import NOTHING, badge, link, moment
from accounts.admin.filters import NamespaceFilter
from scheduling.admin.shared import SharedAdmin, remember_users
from scheduling.domain.states import STATE_OF_ENTRY, EntryState
from scheduling.models import Pool, QueueEntry, Task
from scheduling.models.instance import STATE_LABELS
from scheduling.pool_use import ENOUGH, PoolUse, pool_use
from scheduling.services import delete_pool, save_pool

#: So many instances are named on a pool's page.
NAMED_INSTANCES = 50

_USE = "_rota_pool_use"


@admin.register(Pool)
class PoolAdmin(SharedAdmin):
    """The pools of the reader's namespaces. Whatever changes one goes through scheduling's services."""

    list_display = ("name", "use_shown", "waiting_shown", "used_by", "namespace")
    list_filter = (NamespaceFilter,)
    list_select_related = ("namespace",)
    search_fields = ("name",)
    search_help_text = gettext_lazy("Search by name")
    empty_hint = gettext_lazy(
        "A pool is a limit that several tasks share, such as the connections of one database. "
        "Add one, then choose it under “Limits” of each task."
    )
    sortable_by = ("name",)
    ordering = ("namespace_id", "name")
    actions = None
    fields = ("namespace", "name", "slots", "description")
    change_form_template = "admin/scheduling/pool/change_form.html"

    # The list

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Pool]) -> None:
        """Find how full the pools of one page are, and which tasks use them."""
        use = pool_use(rows)
        names: dict[int, list[str]] = {row.pk: [] for row in rows}
        for pool_id, name in (
            Task.objects.filter(pool__in=names).order_by("name").values_list("pool_id", "name").iterator()
        ):
            if pool_id is not None:
                names[pool_id].append(name)
        for row in rows:
            row.__dict__[_USE] = use[row.pk]
        remember_users(rows, names)

    @admin.display(description=gettext_lazy("used"))
    def use_shown(self, pool: Pool) -> SafeString:
        """How many of its slots are taken, as numbers and as a bar."""
        return _bar(pool.__dict__[_USE])

    @admin.display(description=gettext_lazy("waiting"))
    def waiting_shown(self, pool: Pool) -> SafeString | str:
        """How many instances wait for it."""
        use: PoolUse = pool.__dict__[_USE]
        return link(_instances_url(pool), _counted(use.waiting)) if use.waiting else NOTHING

    # The page

    def page_facts(self, request: HttpRequest, obj: Pool | None) -> dict[str, Any]:
        """Return who holds its slots, and who waits."""
        return {} if obj is None else _facts(obj)

    # What changes something

    def save_model(self, request: HttpRequest, obj: Pool, form: Any, change: bool) -> None:
        """Store it through the service, which checks role and fields once more."""
        save_pool(obj, actor=actor_of(request))

    def delete_model(self, request: HttpRequest, obj: Pool) -> None:
        """Delete it; refused while a task uses it."""
        delete_pool(obj, actor=actor_of(request))


def _facts(pool: Pool) -> dict[str, Any]:
    """Return what stands above the form: its use, its tasks, its holders and those that wait."""
    use = pool_use([pool])[pool.pk]
    entries = QueueEntry.objects.filter(pool_id=pool.pk)
    admitted = (EntryState.READY.value, EntryState.RUNNING.value, EntryState.DELAYED.value)
    holding = list(entries.filter(state__in=admitted).order_by("claimed_at", "pk")[: NAMED_INSTANCES + 1])
    waiting = list(entries.filter(state=EntryState.POOLED.value).order_by("sort_key", "pk")[:NAMED_INSTANCES])
    names: dict[int, str] = dict(
        Task.objects.filter(pk__in={entry.task_id for entry in (*holding, *waiting)}).values_list("pk", "name")
    )
    return {
        "use": _bar(use),
        "full": use.free == 0,
        "tasks": list(pool.tasks.order_by("name")),
        "instances_url": _instances_url(pool),
        "holders": [_row(entry, names) for entry in holding[:NAMED_INSTANCES]],
        "more_holders": len(holding) > NAMED_INSTANCES,
        "waiters": [_row(entry, names) for entry in waiting],
        "more_waiters": _counted(use.waiting - len(waiting)) if use.waiting > len(waiting) else "",
    }


def _row(entry: QueueEntry, names: dict[int, str]) -> dict[str, Any]:
    state = STATE_OF_ENTRY[EntryState(entry.state)]
    name = names.get(entry.task_id)
    return {
        "instance": link(reverse("admin:scheduling_taskinstance_change", args=[entry.pk]), f"#{entry.pk}"),
        "task": link(reverse("admin:scheduling_task_change", args=[entry.task_id]), name) if name else NOTHING,
        "state": badge(state.value, STATE_LABELS[state]),
        "weight": entry.pool_weight,
        "since": moment(entry.claimed_at or entry.run_at),
    }


def _bar(use: PoolUse) -> SafeString:
    words = _("%(used)d of %(slots)d") % {"used": use.used, "slots": use.slots}
    return format_html(
        '<span class="rota-slots"><meter min="0" max="{}" value="{}" aria-hidden="true"></meter> {}</span>',
        max(use.slots, 1),
        min(use.used, use.slots),
        words,
    )


def _counted(count: int) -> str:
    return str(count) if count <= ENOUGH else f"{ENOUGH}+"


def _instances_url(pool: Pool) -> str:
    return f"{reverse('admin:scheduling_taskinstance_changelist')}?pool={pool.pk}&state=waiting"
