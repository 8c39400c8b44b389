"""Instances: what was planned and what became of it. Read-only; cancel and "run again" are actions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.admin.base import LedgerAdmin
from accounts.admin.cells import NOTHING, duration, exact_moment, link, moment, text_block
from accounts.admin.csv_export import Columns
from accounts.admin.filters import KnownChoiceFilter, NamespaceFilter
from accounts.models import User
from accounts.whole_numbers import whole_number
from scheduling.admin import instance_actions
from scheduling.admin.filters import (
    BackfillFilter,
    FailedFilter,
    InstanceStateFilter,
    PoolFilter,
    TaskFilter,
    TaskQueueFilter,
    TimeRangeFilter,
)
from scheduling.admin.instance_page import instance_facts
from scheduling.admin.instance_stop import CONFIRMED, comment_of, confirmation
from scheduling.admin.instance_waiting import prepare_waiting_words, state_cell
from scheduling.admin.ledger_row import ledger_row, prepare_ledger_rows
from scheduling.admin.newest_days import page_of
from scheduling.admin.param_values import JsonTextField
from scheduling.admin.report import first_of
from scheduling.instance_relations import entry_of, handler_and_params_of
from scheduling.models import Backfill, Task, TaskInstance
from scheduling.narrowing import narrow_to_rows_of
from scheduling.services.shown_params import shown_params

_PARAMS = "_rota_params_shown"


@admin.register(TaskInstance)
class TaskInstanceAdmin(LedgerAdmin):
    """The history of all tasks, newest first, a day of it unless asked for more."""

    list_display = (
        "number",
        "task_shown",
        "state_shown",
        "scheduled",
        "took",
        "attempts_shown",
        "origin_shown",
        "namespace_shown",
    )
    list_display_links = ("number",)
    list_filter: tuple[Any, ...] = (
        TimeRangeFilter,
        InstanceStateFilter,
        FailedFilter,
        TaskFilter,
        TaskQueueFilter,
        "origin",
        PoolFilter,
        NamespaceFilter,
        BackfillFilter,
    )
    live_list = True
    search_fields = ("id",)
    search_help_text = gettext_lazy("Search by number or task")
    empty_hint = gettext_lazy("No instance was scheduled within this time. Look further back, or run a task.")
    actions = ("cancel_chosen", "kill_chosen", "rerun_chosen")
    change_form_template = "admin/scheduling/taskinstance/change_form.html"
    only_with = {
        "triggered_by_shown": "triggered_by_id",
        "rerun_of_shown": "rerun_of",
        "backfill_shown": "backfill_id",
        "missed_shown": "missed_count",
        "reason": "reason",
        "message_shown": "message",
        "started": "started_at",
        "finished": "finished_at",
        "took": "finished_at",
    }
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "task_shown",
                    "namespace_shown",
                    "version_shown",
                    "scheduled_exact",
                    "origin_shown",
                    "triggered_by_shown",
                    "rerun_of_shown",
                    "backfill_shown",
                    "missed_shown",
                )
            },
        ),
        (
            gettext_lazy("What became of it"),
            {"fields": ("reason", "message_shown", "attempts_shown", "started", "finished", "took")},
        ),
        (gettext_lazy("Params"), {"fields": ("params_shown",)}),
    )

    @classmethod
    def add_filter(cls, chosen: type[KnownChoiceFilter]) -> None:
        """Offer a filter of an app that builds on this one, such as by the node that ran an instance."""
        cls.list_filter = (*cls.list_filter, chosen)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskInstance]:
        """Return the visible instances with their queue entries; params are read on their own page only."""
        found = super().get_queryset(request).select_related("queue_entry")
        about_one = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return found if about_one else found.defer("params")

    def get_readonly_fields(self, request: HttpRequest, obj: TaskInstance | None = None) -> list[str]:
        """Everything on the page."""
        return [name for _title, options in self.fieldsets for name in options["fields"]]

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first; of one task, in the order of the index that finds its instances."""
        return ("-scheduled_for", "-id") if request.GET.get("task") else ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[TaskInstance], search_term: str
    ) -> tuple[QuerySet[TaskInstance], bool]:
        """Find an instance by its number, or those of the tasks whose name holds the text.

        The names are looked up first, among the tasks, so that the history is only asked for ids.
        """
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.removeprefix("#").isdecimal():
            number = whole_number(term.removeprefix("#"))
            return (queryset.none() if number is None else queryset.filter(id=number)), False
        named = Task.objects.visible_to(request.user).filter(name__icontains=term)
        return narrow_to_rows_of(queryset, named), False

    def page_rows(self, request: HttpRequest, queryset: QuerySet[Any], first: int, last: int) -> list[Any]:
        """Return the rows of a page, the latest days first."""
        return page_of(request, queryset, first, last)

    def prepare_rows(self, request: HttpRequest, rows: Sequence[TaskInstance]) -> None:
        """Find the names of tasks and namespaces, and what is waited for, for the whole page."""
        prepare_waiting_words(rows, prepare_ledger_rows(rows))

    def csv_columns(self) -> Columns:
        """Return what a row of the exported list holds."""
        return {
            "instance": lambda each: each.pk,
            "task": lambda each: ledger_row(each).task,
            "namespace": lambda each: ledger_row(each).namespace_name,
            "state": lambda each: each.state.value,
            "scheduled_for": lambda each: each.scheduled_for,
            "started_at": lambda each: each.started_at,
            "finished_at": lambda each: each.finished_at,
            "attempts": self.attempts_shown,
            "origin": lambda each: each.origin,
            "reason": lambda each: each.reason,
            "message": lambda each: each.full_message,
        }

    # Columns and fields

    @admin.display(description=gettext_lazy("instance"))
    def number(self, instance: TaskInstance) -> str:
        """The instance's number."""
        return f"#{instance.pk}"

    @admin.display(description=gettext_lazy("task"))
    def task_shown(self, instance: TaskInstance) -> SafeString:
        """The task's name, linked while it exists."""
        return ledger_row(instance).task_link()

    @admin.display(description=gettext_lazy("namespace"))
    def namespace_shown(self, instance: TaskInstance) -> str:
        """The namespace's name."""
        return ledger_row(instance).namespace

    @admin.display(description=gettext_lazy("state"))
    def state_shown(self, instance: TaskInstance) -> SafeString:
        """The state, with what it waits for."""
        return state_cell(instance)

    @admin.display(description=gettext_lazy("scheduled for"))
    def scheduled(self, instance: TaskInstance) -> SafeString:
        """The nominal moment."""
        return moment(instance.scheduled_for)

    @admin.display(description=gettext_lazy("scheduled for"))
    def scheduled_exact(self, instance: TaskInstance) -> SafeString:
        """The nominal moment, in full."""
        return exact_moment(instance.scheduled_for)

    @admin.display(description=gettext_lazy("took"))
    def took(self, instance: TaskInstance) -> str:
        """The time from its first start to its end."""
        return duration(instance.started_at, instance.finished_at)

    @admin.display(description=gettext_lazy("attempts"))
    def attempts_shown(self, instance: TaskInstance) -> int:
        """How often it was tried; of what has not ended the queue knows."""
        entry = entry_of(instance)
        return entry.attempt if entry is not None else instance.attempts

    @admin.display(description=gettext_lazy("origin"))
    def origin_shown(self, instance: TaskInstance) -> str:
        """What made it."""
        return str(instance.get_origin_display())

    @admin.display(description=gettext_lazy("task version"))
    def version_shown(self, instance: TaskInstance) -> str:
        """The version of the definition that it runs."""
        return str(instance.task_version)

    @admin.display(description=gettext_lazy("triggered by"))
    def triggered_by_shown(self, instance: TaskInstance) -> str:
        """The person, who may be gone."""
        if instance.triggered_by_id is None:
            return NOTHING
        user = User.objects.filter(pk=instance.triggered_by_id).first()
        return user.get_username() if user else _("deleted user #%(id)s") % {"id": instance.triggered_by_id}

    @admin.display(description=gettext_lazy("run again of"))
    def rerun_of_shown(self, instance: TaskInstance) -> SafeString:
        """The instance that it repeats."""
        if instance.rerun_of is None:
            return format_html("{}", NOTHING)
        return link(_page(instance.rerun_of), f"#{instance.rerun_of}")

    @admin.display(description=gettext_lazy("stands for"))
    def missed_shown(self, instance: TaskInstance) -> SafeString | str:
        """How many ticks were missed before it."""
        if not instance.missed_count:
            return NOTHING
        count = _("%(n)d missed ticks since") % {"n": instance.missed_count}
        return format_html("{} {}", count, exact_moment(instance.missed_since))

    @admin.display(description=gettext_lazy("backfill"))
    def backfill_shown(self, instance: TaskInstance) -> SafeString:
        """The backfill that made it; those of a deleted task are gone."""
        number = f"#{instance.backfill_id}"
        if instance.backfill_id is None or not Backfill.objects.filter(pk=instance.backfill_id).exists():
            return format_html('<span class="rota-subtle">{}</span>', number)
        return link(reverse("admin:scheduling_backfill_change", args=[instance.backfill_id]), number)

    @admin.display(description=gettext_lazy("message"))
    def message_shown(self, instance: TaskInstance) -> SafeString:
        """The sentence for people, with its line breaks."""
        return text_block(instance.full_message)

    @admin.display(description=gettext_lazy("started"))
    def started(self, instance: TaskInstance) -> SafeString:
        """Its first start."""
        return exact_moment(instance.started_at)

    @admin.display(description=pgettext_lazy("moment", "finished"))
    def finished(self, instance: TaskInstance) -> SafeString:
        """Its end."""
        return exact_moment(instance.finished_at)

    @admin.display(description=gettext_lazy("params"))
    def params_shown(self, instance: TaskInstance) -> SafeString:
        """The params that it runs with: its own, or those of its version of the task; passwords hidden."""
        # The page asks several times.
        if _PARAMS not in instance.__dict__:
            instance.__dict__[_PARAMS] = self._params(instance)
        found: SafeString = instance.__dict__[_PARAMS]
        return found

    def _params(self, instance: TaskInstance) -> SafeString:
        handler, params = handler_and_params_of(instance)
        if params is None:
            return format_html("{}", NOTHING)
        shown = shown_params(handler, params)
        return text_block(JsonTextField(schema={}, root={}, stored=None).prepare_value(shown))

    # The page

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the instance with its attempts and what can be done with it; it follows what happens until the end."""
        instance = self.get_object(request, object_id)
        context = {**(extra_context or {})}
        if instance is not None:
            context |= {
                **self._facts(request, instance),
                "title": _("Instance %(number)s") % {"number": instance},
                "subtitle": None,
                "live_url": "" if instance.is_final else _page(instance.pk, "live"),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def _facts(self, request: HttpRequest, instance: TaskInstance) -> dict[str, Any]:
        return instance_facts(instance, request.user, may_operate=self.has_operate_permission(request, instance))

    def _live(self, request: HttpRequest, instance: TaskInstance) -> HttpResponse:
        facts = self._facts(request, instance)
        headers = {"Rota-Live": "ended" if instance.is_final else "goes on"}
        return TemplateResponse(request, "admin/scheduling/taskinstance/live.html", facts, headers=headers)

    # What can be done

    def get_urls(self) -> list[URLPattern]:
        """Add an address for each thing that can be done with one instance."""
        stops = [
            path(
                f"<path:object_id>/{verb}/",
                self.admin_site.admin_view(partial(self._stop, kill=verb == "kill")),
                name=f"scheduling_taskinstance_{verb}",
            )
            for verb in ("cancel", "kill")
        ]
        return [
            *stops,
            *self.post_urls(("rerun", self._rerun)),
            *self.page_urls(("live", self._live)),
            *super().get_urls(),
        ]

    def _stop(self, request: HttpRequest, object_id: str, *, kill: bool) -> HttpResponse:
        """Ask first; do it when the answer comes."""
        instance = self.get_object(request, object_id)
        if instance is None:
            response: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return response
        if not self.has_operate_permission(request, instance):
            raise PermissionDenied
        if request.method != "POST":
            return confirmation(self, request, [instance], action="", kill=kill)
        instance_actions.cancel(request, [instance], comment=comment_of(request), kill=kill)
        return HttpResponseRedirect(_page(instance.pk))

    def _rerun(self, request: HttpRequest, instance: TaskInstance) -> HttpResponse:
        made = instance_actions.rerun(request, [instance])
        return HttpResponseRedirect(_page(made[0].pk)) if made else self.back(request, instance)

    @admin.action(description=gettext_lazy("Cancel"), permissions=["operate"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[TaskInstance]) -> HttpResponse | None:
        """Cancel the chosen instances, once the reader has seen what that means."""
        return self._stop_chosen(request, queryset, action="cancel_chosen", kill=False)

    @admin.action(description=gettext_lazy("Kill"), permissions=["operate"])
    def kill_chosen(self, request: HttpRequest, queryset: QuerySet[TaskInstance]) -> HttpResponse | None:
        """Kill the chosen instances, once the reader has seen what that means."""
        return self._stop_chosen(request, queryset, action="kill_chosen", kill=True)

    def _stop_chosen(
        self, request: HttpRequest, queryset: QuerySet[TaskInstance], *, action: str, kill: bool
    ) -> HttpResponse | None:
        chosen = first_of(request, queryset)
        if CONFIRMED not in request.POST:
            return confirmation(self, request, chosen, action=action, kill=kill)
        instance_actions.cancel(request, chosen, comment=comment_of(request), kill=kill)
        return None

    @admin.action(description=gettext_lazy("Run again"), permissions=["operate"])
    def rerun_chosen(self, request: HttpRequest, queryset: QuerySet[TaskInstance]) -> None:
        """Run the chosen instances again."""
        instance_actions.rerun(request, first_of(request, queryset))


def _page(instance_id: int, verb: str = "change") -> str:
    return reverse(f"admin:scheduling_taskinstance_{verb}", args=[instance_id])
