"""Calendars: rules beside each other, a month at a glance, and public holidays with one click."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import TabularInline

from accounts.admin.base import actor_of
from accounts.admin.cells import link
from accounts.admin.filters import NamespaceFilter
from scheduling.admin.calendar_forms import HolidaysForm, RuleForm, RuleFormSet
from scheduling.admin.calendar_month import Month, month_context
from scheduling.admin.shared import SharedAdmin, remember_users
from scheduling.models import Calendar, CalendarRule
from scheduling.services import delete_calendar, import_holidays, save_calendar
from scheduling.services.blackouts import read_calendar


class RuleInline(TabularInline):
    """The rules of one calendar; whoever may change the calendar may change them."""

    model = CalendarRule
    form = RuleForm
    formset = RuleFormSet
    extra = 0
    #: The note stands in a field of its own.
    hide_title = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see the page."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators of the calendar's namespace."""
        return self._page().has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators of the calendar's namespace."""
        return self._page().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators of the calendar's namespace."""
        return self._page().has_change_permission(request, obj)

    def _page(self) -> CalendarAdmin:
        page = self.admin_site.get_model_admin(Calendar)
        assert isinstance(page, CalendarAdmin)  # noqa: S101 - registered below
        return page


@admin.register(Calendar)
class CalendarAdmin(SharedAdmin):
    """The calendars of the reader's namespaces. Whatever changes one goes through scheduling's services."""

    list_display = ("name", "rules_shown", "used_by", "month_link", "namespace")
    list_filter = (NamespaceFilter,)
    list_select_related = ("namespace",)
    search_fields = ("name",)
    sortable_by = ("name",)
    ordering = ("namespace_id", "name")
    actions = None
    fields = ("namespace", "name", "description")
    inlines = (RuleInline,)
    change_form_template = "admin/scheduling/calendar/change_form.html"

    @property
    def media(self) -> Media:
        """Rules stand beside each other, so their fields are narrow."""
        inherited: Media = super().media
        return inherited + Media(css={"all": ["scheduling/calendar.css"]})

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Calendar]:
        """Return the visible calendars with their namespaces and how many rules they have."""
        found: QuerySet[Calendar] = super().get_queryset(request)
        return found.select_related("namespace").annotate(rule_count=Count("rules", distinct=True))

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Calendar]) -> None:
        """Find the tasks that use the calendars of one page."""
        names: dict[int, list[str]] = {row.pk: [] for row in rows}
        used = Calendar.tasks.through.objects.filter(calendar_id__in=names).order_by("task__name")
        for calendar_id, name in used.values_list("calendar_id", "task__name"):
            names[calendar_id].append(name)
        remember_users(rows, names)

    @admin.display(description=gettext_lazy("rules"))
    def rules_shown(self, calendar: Calendar) -> int:
        """How many rules it has."""
        count: int = calendar.__dict__.get("rule_count", 0)
        return count

    @admin.display(description=gettext_lazy("month"))
    def month_link(self, calendar: Calendar) -> SafeString:
        """A link to the present month."""
        return link(reverse("admin:scheduling_calendar_month", args=[calendar.pk]), _("This month"))

    # The form

    def page_facts(self, request: HttpRequest, obj: Calendar | None) -> dict[str, Any]:
        """Return whether the reader may change it, and who uses it."""
        if obj is None:
            return {}
        return {"may_change": self.has_change_permission(request, obj), "tasks": list(obj.tasks.order_by("name"))}

    # What changes something

    def save_model(self, request: HttpRequest, obj: Calendar, form: Any, change: bool) -> None:
        """Wait for the rules: a calendar is stored as a whole, by `save_related`."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Sequence[RuleFormSet], change: bool) -> None:
        """Store the calendar with its rules through the service, which checks role and rules once more."""
        rules: list[CalendarRule] | None = None
        for formset in formsets:
            formset.save(commit=False)
            rules = formset.kept()
        save_calendar(form.instance, rules, actor=actor_of(request))

    def delete_model(self, request: HttpRequest, obj: Calendar) -> None:
        """Delete it; refused while a task uses it."""
        delete_calendar(obj, actor=actor_of(request))

    # Its own pages

    def get_urls(self) -> list[URLPattern]:
        """Add the month and the import of public holidays."""
        own = [
            path("<path:object_id>/month/", self.admin_site.admin_view(self._month), name="scheduling_calendar_month"),
            path(
                "<path:object_id>/holidays/",
                self.admin_site.admin_view(self._holidays),
                name="scheduling_calendar_holidays",
            ),
        ]
        return own + list(super().get_urls())

    def _month(self, request: HttpRequest, object_id: str) -> HttpResponse:
        calendar = self.get_object(request, object_id)
        if calendar is None:
            return self._missing(request, object_id)
        today = timezone.localdate()
        month = Month.read(request.GET.get("month", ""), today)
        context = {
            **self._page_context(request, calendar, month.title),
            **month_context(read_calendar(calendar), month, today),
        }
        return TemplateResponse(request, "admin/scheduling/calendar/month.html", context)

    def _holidays(self, request: HttpRequest, object_id: str) -> HttpResponse:
        calendar = self.get_object(request, object_id)
        if calendar is None:
            return self._missing(request, object_id)
        if not self.has_change_permission(request, calendar):
            raise PermissionDenied
        form = HolidaysForm(request.POST or None, initial={"years": timezone.localdate().year})
        if request.method == "POST" and form.is_valid():
            try:
                done = import_holidays(calendar, **form.cleaned_data, actor=actor_of(request))
            except ValidationError as error:
                form.refuse(error)
            else:
                count = len(done.added)
                said = ngettext("%(n)d rule was added.", "%(n)d rules were added.", count) % {"n": count}
                if done.make_up_days:
                    days = len(done.make_up_days)
                    said += " " + ngettext(
                        "%(n)d of them is a make-up working day.", "%(n)d of them are make-up working days.", days
                    ) % {"n": days}
                if done.added:
                    self.log_change(request, calendar, said)
                messages.success(request, said)
                month = f"{form.cleaned_data['years'][0]}-01"
                url = reverse("admin:scheduling_calendar_month", args=[calendar.pk])
                return HttpResponseRedirect(f"{url}?month={month}")
        context = {**self._page_context(request, calendar, _("Add public holidays")), "form": form}
        return TemplateResponse(request, "admin/scheduling/calendar/holidays.html", context)

    def _missing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        response: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return response

    def _page_context(self, request: HttpRequest, calendar: Calendar, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": calendar,
            "title": f"{calendar.name} · {title}",
            "subtitle": None,
            "may_change": self.has_change_permission(request, calendar),
        }
