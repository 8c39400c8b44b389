"""Backfills: asking for one with a dry run first, seeing how far it is, and stopping it."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from accounts.admin.base import LedgerAdmin, actor_of
from accounts.admin.cells import absolute, badge, exact_moment, link, moment
from accounts.admin.filters import NamespaceFilter
from scheduling.admin.filters import TaskFilter
from scheduling.admin.period_form import PeriodForm
from scheduling.admin.task_words import task_zone, trigger_words
from scheduling.backfill_progress import backfill_progress
from scheduling.models import Backfill, Task
from scheduling.models.backfill import BACKFILL_OVERLAP_CHOICES, REPROCESS_CHOICES
from scheduling.services.backfill import BackfillPlan, create_backfill, nothing_to_run, plan_backfill, stop_backfill

#: A dry run names so many ticks and counts the rest.
NAMED_TICKS = 200


class BackfillForm(PeriodForm):
    """What to run."""

    reprocess = forms.ChoiceField(
        label=gettext_lazy("Which ticks"), choices=REPROCESS_CHOICES, widget=UnfoldAdminSelectWidget
    )
    overlap = forms.ChoiceField(
        label=gettext_lazy("Overlap"), choices=BACKFILL_OVERLAP_CHOICES, widget=UnfoldAdminSelectWidget
    )
    max_parallel = forms.IntegerField(
        label=gettext_lazy("Most at once"),
        min_value=1,
        max_value=2**31 - 1,
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("More than one for “side by side”. The limits of the task hold as well."),
    )


def backfill_page(model_admin: ModelAdmin, request: HttpRequest, task: Task) -> HttpResponse:
    """Ask for a backfill of ``task``, show what it would do, and start it when that was seen.

    Raises PermissionDenied for somebody who may only look.
    """
    if not model_admin.has_operate_permission(request, task):
        raise PermissionDenied
    form = BackfillForm(task, request.POST or None)
    plan: BackfillPlan | None = None
    if form.is_valid():
        backfill = Backfill(task=task, **form.cleaned_data)
        try:
            if "start" in request.POST:
                create_backfill(backfill, actor=actor_of(request))
                return HttpResponseRedirect(reverse("admin:scheduling_backfill_change", args=[backfill.pk]))
            plan = plan_backfill(backfill)
        except ValidationError as error:
            for name, sentences in error.message_dict.items():
                form.add_error(name if name in form.fields else None, sentences)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Backfill of %(task)s") % {"task": task},
        "subtitle": None,
        "original": task,
        "task": task,
        "task_link": link(reverse("admin:scheduling_task_change", args=[task.pk]), task.name),
        "trigger_words": trigger_words(task),
        "form": form,
        **(_plan_shown(plan, task_zone(task)) if plan is not None else {}),
    }
    return TemplateResponse(request, "admin/scheduling/task/backfill.html", context)


def _plan_shown(plan: BackfillPlan, zone: ZoneInfo | None) -> dict[str, Any]:
    count, more = len(plan.ticks), max(len(plan.ticks) - NAMED_TICKS, 0)
    sentence = ngettext("%(n)d tick would run.", "%(n)d ticks would run.", count) % {"n": count}
    if plan.left_out:
        sentence = f"{sentence} {_('%(n)d of the range stay as they are.') % {'n': plan.left_out}}"
    return {
        "plan": plan,
        "sentence": sentence if plan.ticks else nothing_to_run(plan),
        "ticks": [absolute(tick, zone) for tick in plan.ticks[:NAMED_TICKS]],
        "more": _("and %(n)d more") % {"n": more} if more else "",
    }


@admin.register(Backfill)
class BackfillAdmin(LedgerAdmin):
    """What was asked for and how far it is. A new one is started on its task's page."""

    list_display = ("number", "task_shown", "range_shown", "state_shown", "done", "created_by", "created")
    list_display_links = ("number",)
    list_filter = ("state", TaskFilter, NamespaceFilter)
    empty_hint = gettext_lazy("A backfill is started on the page of its task.")
    change_form_template = "admin/scheduling/backfill/change_form.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "task_shown",
                    "from_shown",
                    "until_shown",
                    "reprocess",
                    "overlap",
                    "max_parallel",
                    "created_by",
                    "created_exact",
                    "finished_exact",
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backfill]:
        """Return the visible backfills without their lists of ticks."""
        return super().get_queryset(request).select_related("task", "created_by", "namespace").defer("ticks")

    def get_readonly_fields(self, request: HttpRequest, obj: Backfill | None = None) -> list[str]:
        """Everything on the page."""
        return [name for _title, options in self.fieldsets for name in options["fields"]]

    @admin.display(description=gettext_lazy("backfill"))
    def number(self, backfill: Backfill) -> str:
        """Its number."""
        return f"#{backfill.pk}"

    @admin.display(description=gettext_lazy("task"))
    def task_shown(self, backfill: Backfill) -> SafeString:
        """Its task."""
        return link(reverse("admin:scheduling_task_change", args=[backfill.task_id]), backfill.task.name)

    @admin.display(description=gettext_lazy("range"))
    def range_shown(self, backfill: Backfill) -> str:
        """Both ends, on the task's wall clock."""
        zone = task_zone(backfill.task)
        return f"{absolute(backfill.from_at, zone)} – {absolute(backfill.until_at, zone)}"

    @admin.display(description=gettext_lazy("from"))
    def from_shown(self, backfill: Backfill) -> str:
        """The first moment."""
        return absolute(backfill.from_at, task_zone(backfill.task))

    @admin.display(description=gettext_lazy("until"))
    def until_shown(self, backfill: Backfill) -> str:
        """The last moment."""
        return absolute(backfill.until_at, task_zone(backfill.task))

    @admin.display(description=gettext_lazy("state"))
    def state_shown(self, backfill: Backfill) -> SafeString:
        """How it stands."""
        return _state_badge(backfill)

    @admin.display(description=gettext_lazy("started ticks"))
    def done(self, backfill: Backfill) -> str:
        """How many ticks have become instances; how these stand is on the page."""
        return f"{backfill.created_count} / {backfill.total}"

    @admin.display(description=gettext_lazy("created"))
    def created(self, backfill: Backfill) -> SafeString:
        """When it was asked for."""
        return moment(backfill.created_at)

    @admin.display(description=gettext_lazy("created"))
    def created_exact(self, backfill: Backfill) -> SafeString:
        """When it was asked for, exactly."""
        return exact_moment(backfill.created_at)

    @admin.display(description=pgettext_lazy("moment", "finished"))
    def finished_exact(self, backfill: Backfill) -> SafeString:
        """When it ended."""
        return exact_moment(backfill.finished_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show how far it is, and what can be done about it."""
        backfill = self.get_object(request, object_id)
        context = {**(extra_context or {})}
        if backfill is not None:
            progress = backfill_progress(backfill)
            instances = reverse("admin:scheduling_taskinstance_changelist")
            context |= {
                "title": _("Backfill %(number)s") % {"number": f"#{backfill.pk}"},
                "subtitle": None,
                "state_badge": _state_badge(backfill),
                "progress": progress,
                "parts": [
                    (badge(state, word), count)
                    for state, word, count in (
                        ("succeeded", _("succeeded"), progress.succeeded),
                        ("failed", _("failed"), progress.failed),
                        ("cancelled", _("cancelled"), progress.cancelled),
                        ("skipped", _("skipped"), progress.skipped),
                        ("running", _("running"), progress.running),
                        ("waiting", _("waiting"), progress.waiting),
                        ("to_come", _("to come"), progress.to_come),
                    )
                    if count
                ],
                "page_actions": self._page_actions(request, backfill, running=progress.running),
                "instances_url": f"{instances}?task={backfill.task_id}&backfill={backfill.pk}&range=all",
                "refresh": backfill.state == "running",
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def _page_actions(self, request: HttpRequest, backfill: Backfill, *, running: int) -> list[dict[str, Any]]:
        if not self.has_operate_permission(request, backfill):
            return []
        offered = []
        if backfill.state == "running":
            offered.append(_action(backfill, "stop", "stop_circle", _("Stop")))
        if backfill.state == "running" or running:
            offered.append(_action(backfill, "stop_all", "cancel", _("Stop, and cancel what runs")))
        return offered

    def get_urls(self) -> list[URLPattern]:
        """Add an address for each way to stop."""
        return self.post_urls(("stop", self._stop), ("stop_all", self._stop_all)) + list(super().get_urls())

    def _stop(self, request: HttpRequest, backfill: Backfill) -> HttpResponse:
        return self._stopped(request, backfill, cancel_running=False)

    def _stop_all(self, request: HttpRequest, backfill: Backfill) -> HttpResponse:
        return self._stopped(request, backfill, cancel_running=True)

    def _stopped(self, request: HttpRequest, backfill: Backfill, *, cancel_running: bool) -> HttpResponse:
        count = stop_backfill(backfill, actor=actor_of(request), cancel_running=cancel_running)
        sentence = ngettext("%(n)d instance was cancelled.", "%(n)d instances were cancelled.", count) % {"n": count}
        messages.success(request, sentence)
        return self.back(request, backfill)


def _state_badge(backfill: Backfill) -> SafeString:
    tones = {"running": "running", "finished": "succeeded", "stopped": "cancelled"}
    return format_html("{}", badge(tones.get(backfill.state, ""), backfill.get_state_display()))


def _action(backfill: Backfill, verb: str, icon: str, label: str) -> dict[str, Any]:
    url = reverse(f"admin:scheduling_backfill_{verb}", args=[backfill.pk])
    return {"url": url, "icon": icon, "label": label, "main": False}
