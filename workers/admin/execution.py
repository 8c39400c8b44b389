"""Executions, read-only, each with its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.admin.base import LedgerAdmin
from accounts.admin.cells import badge, duration, exact_moment, link, moment, text_block
from accounts.admin.csv_export import Columns
from accounts.admin.filters import NamespaceFilter
from accounts.whole_numbers import BIGGEST_INTEGER, number_up_to, whole_number
from scheduling.admin.filters import TaskQueueFilter, TimeRangeFilter
from scheduling.admin.ledger_row import ledger_row, prepare_ledger_rows
from scheduling.admin.newest_days import page_of
from scheduling.admin.result_view import shown_result
from scheduling.models import Task
from scheduling.narrowing import narrow_to_rows_of
from workers.admin.filters import ExecutionStateFilter, ExecutionTaskFilter, InstanceFilter, NodeFilter
from workers.admin.log_page import read_page
from workers.admin.log_words import log_words
from workers.admin.result_download import result_download
from workers.domain.states import ExecutionState
from workers.log_text import log_file
from workers.models import Execution, Node

_NODE = "_rota_node_name"


@admin.register(Execution)
class ExecutionAdmin(LedgerAdmin):
    """The attempts at all instances, newest first, a day of them unless asked for more."""

    list_display = (
        "number",
        "task_shown",
        "instance_shown",
        "state_shown",
        "attempt",
        "started",
        "took",
        "node_shown",
        "log",
    )
    list_display_links = ("number",)
    list_filter = (
        TimeRangeFilter,
        ExecutionStateFilter,
        ExecutionTaskFilter,
        TaskQueueFilter,
        NodeFilter,
        NamespaceFilter,
        InstanceFilter,
    )
    live_list = True
    search_fields = ("id",)
    search_help_text = gettext_lazy("Search by number or task")
    empty_hint = gettext_lazy("No worker took anything within this time. Look further back, or at the nodes.")
    actions = None
    change_form_template = "admin/workers/execution/change_form.html"
    only_with = {
        "finished_exact": "finished_at",
        "took": "finished_at",
        "reason": "reason",
        "message_shown": "message",
    }
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "task_shown",
                    "namespace_shown",
                    "instance_shown",
                    "attempt",
                    "node_shown",
                    "scheduled_exact",
                    "started_exact",
                    "finished_exact",
                    "took",
                )
            },
        ),
        (gettext_lazy("What became of it"), {"fields": ("reason", "message_shown")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        """Return the visible executions; results of up to 1 MiB are read on their own page only."""
        return super().get_queryset(request).defer("result")

    def get_readonly_fields(self, request: HttpRequest, obj: Execution | None = None) -> list[str]:
        """Everything on the page."""
        return [name for _title, options in self.fieldsets for name in options["fields"]]

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first; of one task, in the order of the index that finds its instances."""
        return ("-scheduled_for", "-id") if request.GET.get("task") else ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Execution], search_term: str
    ) -> tuple[QuerySet[Execution], bool]:
        """Find an execution by its number or its instance's, or those of the tasks whose name holds the text."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.removeprefix("#").isdecimal():
            number = whole_number(term.removeprefix("#"))
            if number is None:
                return queryset.none(), False
            return queryset.filter(id=number) | queryset.filter(instance_id=number), False
        named = Task.objects.visible_to(request.user).filter(name__icontains=term)
        return narrow_to_rows_of(queryset, named), False

    def page_rows(self, request: HttpRequest, queryset: QuerySet[Any], first: int, last: int) -> list[Any]:
        """Return the rows of a page, the latest days first."""
        return page_of(request, queryset, first, last)

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Execution]) -> None:
        """Find the names of tasks, namespaces and nodes for the whole page."""
        prepare_ledger_rows(rows)
        names = dict(Node.objects.filter(pk__in={row.node_id for row in rows}).values_list("pk", "name"))
        for row in rows:
            row.__dict__[_NODE] = names.get(row.node_id)

    def csv_columns(self) -> Columns:
        """Return what a row of the exported list holds."""
        return {
            "execution": lambda each: each.pk,
            "instance": lambda each: each.instance_id,
            "task": lambda each: ledger_row(each).task,
            "namespace": lambda each: ledger_row(each).namespace_name,
            "state": lambda each: str(each.state),
            "attempt": lambda each: each.attempt,
            "node": lambda each: each.__dict__[_NODE],
            "scheduled_for": lambda each: each.scheduled_for,
            "started_at": lambda each: each.started_at,
            "finished_at": lambda each: each.finished_at,
            "reason": lambda each: each.reason,
            "message": lambda each: each.full_message,
        }

    # Columns and fields

    @admin.display(description=gettext_lazy("execution"))
    def number(self, execution: Execution) -> str:
        """The execution's number, which is its lease's."""
        return f"#{execution.pk}"

    @admin.display(description=gettext_lazy("task"))
    def task_shown(self, execution: Execution) -> SafeString:
        """The task's name, linked while it exists."""
        return ledger_row(execution).task_link()

    @admin.display(description=gettext_lazy("namespace"))
    def namespace_shown(self, execution: Execution) -> str:
        """The namespace's name."""
        return ledger_row(execution).namespace

    @admin.display(description=gettext_lazy("instance"))
    def instance_shown(self, execution: Execution) -> SafeString:
        """The instance that it was an attempt at."""
        url = reverse("admin:scheduling_taskinstance_change", args=[execution.instance_id])
        return link(url, f"#{execution.instance_id}")

    @admin.display(description=gettext_lazy("state"))
    def state_shown(self, execution: Execution) -> SafeString:
        """The state, with the sentence that says why."""
        return badge(execution.state, execution.get_state_display(), title=execution.full_message)

    @admin.display(description=gettext_lazy("started"))
    def started(self, execution: Execution) -> SafeString:
        """When it was claimed."""
        return moment(execution.started_at)

    @admin.display(description=gettext_lazy("took"))
    def took(self, execution: Execution) -> str:
        """How long it ran."""
        return duration(execution.started_at, execution.finished_at)

    @admin.display(description=gettext_lazy("node"))
    def node_shown(self, execution: Execution) -> SafeString:
        """The node that ran it, which may be forgotten by now."""
        if _NODE not in execution.__dict__:
            execution.__dict__[_NODE] = Node.objects.filter(pk=execution.node_id).values_list("name", flat=True).first()
        name = execution.__dict__[_NODE]
        if name is None:
            return format_html("#{}", execution.node_id)
        return link(reverse("admin:workers_node_change", args=[execution.node_id]), name)

    @admin.display(description=gettext_lazy("log"))
    def log(self, execution: Execution) -> SafeString:
        """A link to the log."""
        return link(_page(execution, "log"), _("Log"))

    @admin.display(description=gettext_lazy("scheduled for"))
    def scheduled_exact(self, execution: Execution) -> SafeString:
        """The nominal moment of its instance."""
        return exact_moment(execution.scheduled_for)

    @admin.display(description=gettext_lazy("started"))
    def started_exact(self, execution: Execution) -> SafeString:
        """When it was claimed, in full."""
        return exact_moment(execution.started_at)

    @admin.display(description=pgettext_lazy("moment", "finished"))
    def finished_exact(self, execution: Execution) -> SafeString:
        """When it ended, in full."""
        return exact_moment(execution.finished_at)

    @admin.display(description=gettext_lazy("message"))
    def message_shown(self, execution: Execution) -> SafeString:
        """The sentence for people, with its line breaks."""
        return text_block(execution.full_message)

    # The pages

    def get_urls(self) -> list[URLPattern]:
        """Add the log and its download."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/log/", wrap(self.log_view), name="workers_execution_log"),
            path("<int:pk>/result/", wrap(self.result_view), name="workers_execution_result"),
            path("<int:pk>/log/download/", wrap(self.download_view), name="workers_execution_download"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the execution with a link to its log."""
        execution = self.get_object(request, object_id)
        context = {**(extra_context or {})}
        if execution is not None:
            context |= self._facts(execution)
            if execution.result is not None:
                context |= {"result": shown_result(execution.result), "result_url": _page(execution, "result")}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def _facts(self, execution: Execution) -> dict[str, Any]:
        return {
            "title": _("Execution %(number)s") % {"number": execution},
            "subtitle": None,
            "execution": execution,
            "state_badge": badge(execution.state, execution.get_state_display()),
            "task_link": self.task_shown(execution),
            "instance_link": self.instance_shown(execution),
            "took": self.took(execution),
            "running": execution.state == ExecutionState.RUNNING,
        }

    def result_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return what the handler returned, whole."""
        execution = self.get_object(request, str(pk))
        if execution is None:
            missing: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))
            return missing
        return result_download(execution, as_csv=request.GET.get("as") == "csv")

    def log_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show one page of the log: from chunk ``from`` on, or up to chunk ``before``, or the last one.

        Without a choice it begins at the beginning; of what still runs it shows the end, and again every 5 s.
        """
        execution = self.get_object(request, str(pk))
        if execution is None:
            missing: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))
            return missing
        start, before = _number(request, "from"), _number(request, "before")
        running = execution.state == ExecutionState.RUNNING
        at_end = "end" in request.GET or (running and start is None and before is None)
        if not at_end and start is None and before is None:
            start = 0
        context = {
            **self.admin_site.each_context(request),
            **self._facts(execution),
            "opts": self.opts,
            "original": execution,
            "title": _("Log of execution %(number)s") % {"number": execution},
            "page": read_page(execution, start=start, before=before),
            "refresh": running and at_end,
            "words": log_words(),
        }
        return TemplateResponse(request, "admin/workers/execution/log.html", context)

    def download_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Return the whole log as a text file."""
        execution = self.get_object(request, str(pk))
        if execution is None:
            missing: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))
            return missing
        return log_file(request, execution)


def _page(execution: Execution, name: str) -> str:
    return reverse(f"admin:workers_execution_{name}", args=[execution.pk])


def _number(request: HttpRequest, name: str) -> int | None:
    """Return a chunk's number from the address; anything else counts as none."""
    return number_up_to(request.GET.get(name, ""), BIGGEST_INTEGER)
