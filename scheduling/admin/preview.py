"""The panel of the task form that says what its trigger will do, while it is still being typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import PermissionDenied
from django.forms.models import construct_instance
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from accounts.permissions import visible_to
from accounts.whole_numbers import BIGGEST_INTEGER, whole_number
from scheduling.admin.task_form import UNUSED
from scheduling.domain.errors import InvalidField
from scheduling.domain.task_trigger import TRIGGER_FIELDS
from scheduling.models import Calendar, Task
from scheduling.services.preview import preview_task

if TYPE_CHECKING:
    TriggerModelForm = forms.ModelForm[Task]
else:
    # Django's own classes are generic for type checkers only.
    TriggerModelForm = forms.ModelForm

_MOMENTS = ("anchor_at", "run_at", "starts_at", "ends_at")
TEMPLATE = "admin/scheduling/task/preview.html"


class TriggerForm(TriggerModelForm):
    """Reads the trigger's part of the task form; whether it is sound, `preview_task` says."""

    class Meta:
        model = Task
        fields = [*TRIGGER_FIELDS, "delay_seconds", "jitter_seconds"]
        field_classes = dict.fromkeys(_MOMENTS, forms.SplitDateTimeField)
        widgets = dict.fromkeys(_MOMENTS, AdminSplitDateTime)

    def _post_clean(self) -> None:
        """Build the task without judging it."""
        self.instance = construct_instance(self, self.instance, self._meta.fields, self._meta.exclude)
        for name, (kinds, unused) in UNUSED.items():
            if self.instance.trigger not in kinds:
                setattr(self.instance, name, unused)


def preview_panel(request: HttpRequest, task: Task | None) -> HttpResponse:
    """Return the panel as a piece of HTML for the posted fields of a form; ``task`` is the stored one, if any.

    What is wrong is said in the panel; the answer is 200 all the same. With ``with_calendars`` posted, the calendars
    are the chosen ones; without it, those that the task uses.
    """
    if request.method != "POST":
        raise PermissionDenied
    form = TriggerForm(request.POST, instance=task)
    context: dict[str, Any] = {"problems": [], "preview": None}
    if form.is_valid():
        calendars = _chosen_calendars(request) if "with_calendars" in request.POST else None
        viewer = request.POST.get("viewer_timezone") or None
        try:
            context["preview"] = _shown(form.instance, viewer, calendars)
        except InvalidField as error:
            context["problems"] = [_(error.message) % error.params]
    else:
        context["problems"] = [
            f"{form.fields[name].label}: {message}" for name, messages in form.errors.items() for message in messages
        ]
    return TemplateResponse(request, TEMPLATE, context)


def _shown(task: Task, viewer: str | None, calendars: list[Calendar] | None) -> Any:
    try:
        return preview_task(task, viewer_timezone=viewer, calendars=calendars)
    except InvalidField as error:
        # A browser may name a zone that this machine does not know; that is no mistake of the person's.
        if error.field != "viewer_timezone":
            raise
        return preview_task(task, calendars=calendars)


def _chosen_calendars(request: HttpRequest) -> list[Calendar]:
    ids = [whole_number(text, most=BIGGEST_INTEGER) for text in request.POST.getlist("calendars")]
    visible = visible_to(request.user, Calendar.objects.prefetch_related("rules"))
    return list(visible.filter(pk__in=[number for number in ids if number is not None]))
