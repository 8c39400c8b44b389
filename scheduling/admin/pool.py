"""Pools: how full they are, who holds their slots, and who waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import RoleAwareAdmin, actor_of
from accounts.admin.cells import NOTHING, badge, link, moment
from accounts.admin.filters import NamespaceFilter
from accounts.permissions import permitted_namespaces
from accounts.roles import Action
from scheduling.domain.states import STATE_OF_ENTRY, EntryState
from scheduling.models import Pool, QueueEntry, Task
from scheduling.models.instance import STATE_LABELS
from scheduling.pool_use import ENOUGH, PoolUse, pool_use
from scheduling.services import delete_pool, save_pool

#: So many of the tasks that use a pool are named in a cell, and so many instances on its page.
NAMED_TASKS, NAMED_INSTANCES = 5, 50

_USE = "_rota_pool_use"
_TASKS = "_rota_task_names"


@admin.register(Pool)
class PoolAdmin(RoleAwareAdmin):
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
            row.__dict__[_USE], row.__dict__[_TASKS] = use[row.pk], names[row.pk]

    @admin.display(description=gettext_lazy("used"))
    def use_shown(self, pool: Pool) -> SafeString:
        """How many of its slots are taken, as numbers and as a bar."""
        return _bar(pool.__dict__[_USE])

    @admin.display(description=gettext_lazy("waiting"))
    def waiting_shown(self, pool: Pool) -> SafeString | str:
        """How many instances wait for it."""
        use: PoolUse = pool.__dict__[_USE]
        return link(_instances_url(pool), _counted(use.waiting)) if use.waiting else NOTHING

    @admin.display(description=gettext_lazy("used by"))
    def used_by(self, pool: Pool) -> SafeString | str:
        """The tasks that use it, the first few by name."""
        names: list[str] = pool.__dict__[_TASKS]
        if not names:
            return NOTHING
        shown = format_html_join(", ", "{}", ((name,) for name in names[:NAMED_TASKS]))
        more = len(names) - NAMED_TASKS
        return format_html("{} +{}", shown, more) if more > 0 else shown

    # The page

    def get_readonly_fields(self, request: HttpRequest, obj: Pool | None = None) -> tuple[str, ...]:
        """A pool stays in its namespace, where its tasks are."""
        return () if obj is None else ("namespace",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only namespaces that the reader may change."""
        if db_field.name == "namespace":
            kwargs["queryset"] = permitted_namespaces(request.user, Action.ADMINISTER).distinct()
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "description" and field is not None:
            field.widget.attrs["rows"] = 2
        return field

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Fill in the namespace when there is one only."""
        allowed = list(permitted_namespaces(request.user, Action.ADMINISTER)[:2])
        return {"namespace": allowed[0].pk} if len(allowed) == 1 else {}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form below who holds its slots; what turns out wrong only when it is stored is a message."""
        pool = self.get_object(request, object_id) if object_id else None
        context = dict(extra_context or {})
        if pool is not None:
            context |= _facts(pool)
        try:
            response: HttpResponse = super().changeform_view(request, object_id, form_url, context)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return HttpResponseRedirect(request.get_full_path())
        return response

    # What changes something

    def save_model(self, request: HttpRequest, obj: Pool, form: Any, change: bool) -> None:
        """Store it through the service, which checks role and fields once more."""
        save_pool(obj, actor=actor_of(request))

    def delete_model(self, request: HttpRequest, obj: Pool) -> None:
        """Delete it; refused while a task uses it."""
        delete_pool(obj, actor=actor_of(request))

    def get_deleted_objects(
        self, objs: Iterable[Pool], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Name the pools, and the tasks that keep them from being deleted."""
        pools = list(objs)
        lacking = {str(self.opts.verbose_name) for each in pools if not self.has_delete_permission(request, each)}
        tasks = [_("task “%(name)s”") % {"name": task.name} for each in pools for task in each.tasks.all()]
        return [str(each) for each in pools], {str(self.opts.verbose_name_plural): len(pools)}, lacking, tasks


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
