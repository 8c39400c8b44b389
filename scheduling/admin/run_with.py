"""The page that runs a task once with other params than its own; the task stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.admin.base import RoleAwareAdmin, actor_of
from accounts.admin.cells import link
from scheduling.admin.param_values import JsonTextField
from scheduling.admin.params_form import PREFIX, ParamsForm, build_params_form
from scheduling.admin.task_actions import instance_url
from scheduling.domain.handlers import catalogue
from scheduling.models import Task
from scheduling.services import run_task_now
from scheduling.services.validation import params_problems


class RunForm(forms.Form):
    """The params of one run, a field for each, filled with the task's own."""

    def __init__(self, task: Task, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self._task = task
        self._stored = dict(task.params) if isinstance(task.params, dict) else {}
        spec = catalogue.get(task.handler)
        self._params_form: ParamsForm | None = None
        if spec is None:
            self.fields["params"] = JsonTextField(
                schema=None, root={}, stored=self._stored, label=_("params"), required=False, initial=self._stored
            )
        else:
            self._params_form = build_params_form(spec.params_schema(), self._stored, {})
            self.fields.update({PREFIX + key: field for key, field in self._params_form.fields.items()})

    @property
    def params(self) -> dict[str, Any]:
        """All params of the run; known once the form is valid."""
        if self._params_form is None:
            found = self.cleaned_data.get("params")
            return dict(found) if isinstance(found, dict) else {}
        return self._params_form.params(self.cleaned_data)

    def clean(self) -> dict[str, Any]:
        """Ask the one place that knows what params are sound, and put each answer beside its field."""
        cleaned = super().clean() or {}
        self.cleaned_data = cleaned
        if self.errors:
            return cleaned
        for problem in params_problems(self._task.handler, self.params, namespace_id=self._task.namespace_id):
            field = self._params_form.field_of(problem.path, problem.message) if self._params_form else None
            self.add_error(field, problem.message if field else str(problem))
        return cleaned


def run_with_page(model_admin: RoleAwareAdmin, request: HttpRequest, task: Task) -> HttpResponse:
    """Show the form, or queue the run that it describes and lead to it."""
    if not model_admin.has_operate_permission(request, task):
        raise PermissionDenied
    form = RunForm(task, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = run_task_now(task, params=form.params, whole_params=True, actor=actor_of(request))
        except ValidationError as error:
            form.add_error(None, " ".join(error.messages))
        else:
            return HttpResponseRedirect(instance_url(made.pk))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Run %(task)s with other params") % {"task": task},
        "subtitle": None,
        "original": task,
        "task": task,
        "task_link": link(reverse("admin:scheduling_task_change", args=[task.pk]), task.name),
        "form": form,
        "media": model_admin.media + form.media,
    }
    return TemplateResponse(request, "admin/scheduling/task/run_with.html", context)
