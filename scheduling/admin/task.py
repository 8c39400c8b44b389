"""Tasks: the list, the form made from the handler's schema, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Media, Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from accounts.admin.base import actor_of, may_in
from accounts.admin.cells import NOTHING, badge, moment
from accounts.admin.csv_export import Columns
from accounts.admin.definitions import DefinitionAdmin
from accounts.admin.filters import NamespaceFilter
from accounts.models import Namespace
from accounts.permissions import visible_to
from accounts.roles import Action
from accounts.whole_numbers import BIGGEST_INTEGER, whole_number
from scheduling.admin import task_actions
from scheduling.admin.filters import HandlerFilter, QueueFilter, TaskStateFilter
from scheduling.admin.last_instances import last_instance, prepare_last_instances
from scheduling.admin.list_field import CommaListField
from scheduling.admin.param_values import JsonTextField
from scheduling.admin.pool_field import PoolField
from scheduling.admin.preview import preview_panel
from scheduling.admin.report import Report, first_of
from scheduling.admin.task_buttons import row_buttons
from scheduling.admin.task_charts import task_trend
from scheduling.admin.task_columns import task_columns
from scheduling.admin.task_fieldsets import read_only_fieldsets, task_fieldsets
from scheduling.admin.task_form import TaskForm, task_form_class
from scheduling.admin.task_page import live_facts, standing_facts
from scheduling.admin.task_pages import task_page_urls
from scheduling.admin.task_revisions import restore
from scheduling.admin.task_words import task_zone, trigger_words
from scheduling.domain.handlers import catalogue
from scheduling.models import Calendar, Pool, Task
from scheduling.services import delete_task, save_task
from scheduling.services.shown_params import shown_params
from scheduling.task_state import TASK_STATE_LABELS, state_of

#: The icon of each built-in handler; a plug-in's has the last one.
ICONS = {"http": "http", "shell": "terminal", "sql": "database", "python": "code"}
PLUG_IN_ICON = "extension"

_MAY_OPERATE = "_rota_may_operate"


@admin.register(Task)
class TaskAdmin(DefinitionAdmin):
    """The definitions. Whatever changes one goes through scheduling's services."""

    list_display = ("name", "state", "trigger_shown", "next_run", "last_run", "handler_shown", "namespace", "buttons")
    list_filter = (TaskStateFilter, NamespaceFilter, HandlerFilter, "trigger", QueueFilter)
    list_select_related = ("namespace", "clock")
    search_fields = ("name",)
    search_help_text = gettext_lazy("Search by name or number")
    live_list = True
    empty_hint = gettext_lazy("No task matches, or there is none yet.")
    sortable_by = ("name", "next_run")
    ordering = ("namespace_id", "name")
    actions = ("run_chosen", "pause_chosen", "resume_chosen", "duplicate_chosen")
    add_form_template = change_form_template = "admin/scheduling/task/change_form.html"
    readonly_fields = ("params_shown",)
    formfield_overrides = {ArrayField: {"form_class": CommaListField, "widget": UnfoldAdminTextInputWidget}}

    @property
    def media(self) -> Media:
        """The page's script shows the fields that the chosen trigger uses."""
        inherited: Media = super().media
        modules: list[Any] = [Script("scheduling/countdown.js", type="module")]
        return inherited + Media(js=["scheduling/task_form.js", "scheduling/preview.js", *modules])

    # The list

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        """Find tasks whose name holds the text, and the one with that number."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        number = whole_number(search_term.strip().removeprefix("#"), most=BIGGEST_INTEGER)
        if number is not None:
            found |= queryset.filter(pk=number)
        return found, may_repeat

    def csv_columns(self) -> Columns:
        """Return what a row of the exported list holds."""
        return task_columns()

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Task]) -> None:
        """Find each task's latest instance, and whether the reader may run it."""
        prepare_last_instances(rows)
        for task in rows:
            task.__dict__[_MAY_OPERATE] = may_in(request, Action.OPERATE, task.namespace_id)

    @admin.display(description=gettext_lazy("state"))
    def state(self, task: Task) -> SafeString:
        """Whether it fires."""
        state = state_of(task)
        return badge(state, TASK_STATE_LABELS[state], title=task.clock.error)

    @admin.display(description=gettext_lazy("trigger"))
    def trigger_shown(self, task: Task) -> SafeString:
        """The trigger as one line."""
        return format_html('<span class="rota-trigger">{}</span>', trigger_words(task))

    @admin.display(description=gettext_lazy("next run"), ordering="clock__next_run_at")
    def next_run(self, task: Task) -> SafeString:
        """The next tick, on the task's own clock."""
        return moment(task.clock.next_run_at, zone=task_zone(task))

    @admin.display(description=gettext_lazy("last run"))
    def last_run(self, task: Task) -> SafeString:
        """How the latest instance stands, and a link to it."""
        instance = last_instance(task)
        if instance is None:
            return format_html("{}", NOTHING)
        shown = badge(instance.state, instance.state_label, title=instance.full_message)
        when = moment(instance.finished_at or instance.scheduled_for)
        return format_html(
            '<a class="rota-last" href="{}">{} {}</a>', task_actions.instance_url(instance.pk), shown, when
        )

    @admin.display(description=gettext_lazy("handler"), ordering="handler")
    def handler_shown(self, task: Task) -> str:
        """The handler's word."""
        return task.handler

    @admin.display(description=gettext_lazy("actions"))
    def buttons(self, task: Task) -> SafeString:
        """Buttons of the list's own form, sent to the task's own address."""
        return row_buttons(task) if task.__dict__.get(_MAY_OPERATE) else format_html("{}", NOTHING)

    # The form

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        """Return the visible tasks with what every page of them shows."""
        return super().get_queryset(request).select_related("namespace", "clock")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the handler first; then its form."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if not _asked_handler(request):
            return self._choose_handler(request)
        response: HttpResponse = super().add_view(request, form_url, extra_context)
        return response

    def _choose_handler(self, request: HttpRequest) -> HttpResponse:
        specs = [spec for name in catalogue.names() if (spec := catalogue.get(name)) is not None]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Add task"),
            "subtitle": None,
            "handlers": [
                {"name": spec.name, "label": spec.label, "icon": ICONS.get(spec.name, PLUG_IN_ICON)} for spec in specs
            ],
        }
        return TemplateResponse(request, "admin/scheduling/task/choose_handler.html", context)

    def page_facts(self, request: HttpRequest, obj: Task | None) -> dict[str, Any]:
        """Return what is known of the saved task, for above the form."""
        if obj is None:
            return {"handler_label": _handler_label(_asked_handler(request))}
        return self._facts(request, obj)

    def _facts(self, request: HttpRequest, task: Task) -> dict[str, Any]:
        return {
            "handler_label": _handler_label(task.handler),
            "live_url": reverse("admin:scheduling_task_live", args=[task.pk]),
            "may_backfill": self.has_operate_permission(request, task),
            "trend": task_trend(task, request.user),
            **self._live_facts(request, task),
            **standing_facts(task),
        }

    def _live_facts(self, request: HttpRequest, task: Task) -> dict[str, Any]:
        may = {
            "operate": self.has_operate_permission(request, task),
            "change": self.has_change_permission(request, task),
        }
        return {"original": task, **live_facts(task, **may)}

    def _live(self, request: HttpRequest, task: Task) -> HttpResponse:
        return TemplateResponse(request, "admin/scheduling/task/live.html", self._live_facts(request, task))

    def get_form(
        self, request: HttpRequest, obj: Task | None = None, change: bool = False, **kwargs: Any
    ) -> type[TaskForm]:
        """Return the form with the params of the task's handler."""
        form: type[TaskForm] = super().get_form(
            request, obj, change, **{"form": self._form_class(request, obj), **kwargs}
        )
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Task | None = None) -> Any:
        """Return the groups of fields; somebody who may only look sees the params as they are stored."""
        label = _handler_label(obj.handler if obj is not None else _asked_handler(request))
        if obj is not None and not self.has_change_permission(request, obj):
            return read_only_fieldsets(obj.handler, label)
        handler = obj.handler if obj is not None else _asked_handler(request)
        return task_fieldsets(self._form_class(request, obj).params_form, handler, label)

    def _form_class(self, request: HttpRequest, obj: Task | None) -> type[TaskForm]:
        handler = obj.handler if obj is not None else _asked_handler(request)
        stored = obj.params if obj is not None and isinstance(obj.params, dict) else {}

        def connections() -> Iterable[str]:
            readable = visible_to(request.user, Namespace.objects.all(), path="pk")
            names = readable.filter(connections__name__isnull=False).order_by("connections__name")
            return names.values_list("connections__name", flat=True).distinct()

        return task_form_class(handler, stored, {"connection": connections})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Fill in the handler that was chosen, and the installation's time zone."""
        initial = super().get_changeform_initial_data(request)
        return {**initial, "handler": _asked_handler(request), "timezone": settings.TIME_ZONE}

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the pools that the reader may see."""
        if db_field.name == "pool":
            kwargs["form_class"] = PoolField
            kwargs["queryset"] = Pool.objects.visible_to(request.user).select_related("namespace")
            kwargs["empty_label"] = _("none")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the calendars that the reader may see."""
        if db_field.name == "calendars":
            kwargs["queryset"] = Calendar.objects.visible_to(request.user).order_by("namespace__name", "name")
            kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @admin.display(description=gettext_lazy("params"))
    def params_shown(self, task: Task) -> SafeString:
        """The stored params, passwords hidden."""
        shown = shown_params(task.handler, task.params)
        text = JsonTextField(schema={}, root={}, stored=None).prepare_value(shown)
        return format_html('<pre class="rota-block">{}</pre>', text)

    # What changes something

    def save_model(self, request: HttpRequest, obj: Task, form: Any, change: bool) -> None:
        """Store the task through the service, which checks the reader's role and the task once more."""
        if change and (now := Task.objects.select_for_update(no_key=True).filter(pk=obj.pk).first()) is not None:
            form.keep_up_with(now)
        save_task(obj, calendars=form.cleaned_data.get("calendars"), actor=actor_of(request))

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        """Delete the definition; what waits is cancelled, and the history stays."""
        delete_task(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Delete several, each as if it were the only one."""
        for task in queryset:
            delete_task(task, actor=actor_of(request))

    def get_deleted_objects(
        self, objs: Iterable[Task], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Name the definitions and nothing else: their history is not deleted, so it is not walked."""
        tasks = list(objs)
        names = [str(task) for task in tasks]
        lacking = {str(self.opts.verbose_name) for task in tasks if not self.has_delete_permission(request, task)}
        return names, {str(self.opts.verbose_name_plural): len(names)}, lacking, []

    def get_urls(self) -> list[URLPattern]:
        """Add one address for each thing that can be done with one task."""
        views = self.post_urls(
            ("run", self._run),
            ("pause", self._pause),
            ("resume", self._resume),
            ("duplicate", self._duplicate),
            ("restore", self._restore),
        )
        panel = self.admin_site.admin_view(self._preview)
        views += [
            path("preview/", panel, name="scheduling_task_preview"),
            path("<int:pk>/preview/", panel, name="scheduling_task_preview_stored"),
        ]
        return [*views, *self.page_urls(("live", self._live)), *task_page_urls(self), *super().get_urls()]

    def _preview(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        task = None if pk is None else self.get_object(request, str(pk))
        if not self.has_view_permission(request, task) or (pk is not None and task is None):
            raise PermissionDenied
        return preview_panel(request, task)

    def _run(self, request: HttpRequest, task: Task) -> HttpResponse:
        task_actions.run_now(request, [task])
        return self.back(request, task)

    def _pause(self, request: HttpRequest, task: Task) -> HttpResponse:
        self._log(request, task, task_actions.pause(request, [task]), _("Paused."))
        return self.back(request, task)

    def _resume(self, request: HttpRequest, task: Task) -> HttpResponse:
        self._log(request, task, task_actions.resume(request, [task]), _("Resumed."))
        return self.back(request, task)

    def _duplicate(self, request: HttpRequest, task: Task) -> HttpResponse:
        copies = task_actions.duplicate(request, [task])
        if not copies:
            return self.back(request, task)
        return HttpResponseRedirect(reverse("admin:scheduling_task_change", args=[copies[0].pk]))

    def _restore(self, request: HttpRequest, task: Task) -> HttpResponse:
        return restore(self, request, task)

    def _log(self, request: HttpRequest, task: Task, report: Report, sentence: str) -> None:
        """Write it into the page's history, which shows who did what."""
        if report.done:
            self.log_change(request, task, sentence)

    @admin.action(description=gettext_lazy("Run now"), permissions=["operate"])
    def run_chosen(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Queue one run of each chosen task."""
        task_actions.run_now(request, first_of(request, queryset))

    @admin.action(description=gettext_lazy("Pause"), permissions=["operate"])
    def pause_chosen(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Stop the triggers of the chosen tasks."""
        task_actions.pause(request, first_of(request, queryset))

    @admin.action(description=gettext_lazy("Resume"), permissions=["operate"])
    def resume_chosen(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Let the triggers of the chosen tasks go on."""
        task_actions.resume(request, first_of(request, queryset))

    @admin.action(description=gettext_lazy("Duplicate"), permissions=["change"])
    def duplicate_chosen(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Store paused copies of the chosen tasks."""
        task_actions.duplicate(request, first_of(request, queryset))


def _asked_handler(request: HttpRequest) -> str:
    """Return the handler that a new task is to have: what was posted, else what the address names."""
    return request.POST.get("handler") or request.GET.get("handler", "")


def _handler_label(name: str) -> str:
    spec = catalogue.get(name)
    return spec.label if spec is not None else name
