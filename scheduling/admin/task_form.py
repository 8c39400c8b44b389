"""The form of a task: the model's fields, and one field for each of its handler's params."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, cast
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms.models import construct_instance
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from scheduling.admin.meanwhile import Seen, SeenField, saved_meanwhile
from scheduling.admin.param_values import JsonTextField
from scheduling.admin.params_form import ParamsForm, Suggestions, build_params_form
from scheduling.admin.widgets import SuggestingInput
from scheduling.domain.handlers import catalogue
from scheduling.domain.policies import Backoff, TriggerKind
from scheduling.models import Task
from scheduling.services import Problem, find_problems

if TYPE_CHECKING:
    from django.http import QueryDict

    TaskModelForm = forms.ModelForm[Task]
else:
    # Django's own classes are generic for type checkers only.
    TaskModelForm = forms.ModelForm

#: The fields that only some kinds of trigger use, and what they hold under every other.
UNUSED: dict[str, tuple[frozenset[str], Any]] = {
    "cron_expression": (frozenset({TriggerKind.CRON}), ""),
    "every_seconds": (frozenset({TriggerKind.INTERVAL, TriggerKind.FIXED_DELAY}), None),
    "anchor_at": (frozenset({TriggerKind.INTERVAL}), None),
    "run_at": (frozenset({TriggerKind.ONCE}), None),
    "delay_seconds": (frozenset({TriggerKind.ONCE}), None),
}

#: Moments, which the form shows without the fraction of their second.
_MOMENTS = ("starts_at", "ends_at", "anchor_at", "run_at")

#: The constraint that is about one field; Django reports it for the whole form.
_NAME_IS_TAKEN = "task_name_is_unique_in_namespace"


@cache
def _zones() -> list[str]:
    return sorted(name for name in available_timezones() if "/" in name or name == "UTC")


class TaskForm(TaskModelForm):
    """Asks `find_problems` whether the task is sound, and puts each answer beside its field."""

    #: Made from the handler's schema; None when no such handler is installed, then `params` is edited as JSON.
    params_form: ClassVar[ParamsForm | None] = None

    #: What the form was made from.
    seen = SeenField()

    class Meta:
        model = Task
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored = Seen.of(self.instance) if self.instance.pk is not None else None
        self.fields["seen"].initial = "" if self._stored is None else str(self._stored)
        if "timezone" in self.fields:
            self.fields["timezone"].widget = SuggestingInput(_zones)
        if "description" in self.fields:
            self.fields["description"].widget.attrs["rows"] = 2
        if "handler" in self.fields:
            self.fields["handler"].widget = forms.HiddenInput()

    def _post_clean(self) -> None:
        """Build the task and check it as a whole; the model's own checks are part of that."""
        self._compare_with_stored()
        # Who left a moment as the form shows it moved nothing: a phase would shift, and what has passed be refused.
        for name in set(_MOMENTS) & set(self.cleaned_data) - set(self.changed_data):
            if self.instance.pk is not None:
                self.cleaned_data[name] = getattr(self.instance, name)
        self.instance = construct_instance(self, self.instance, self._meta.fields, self._meta.exclude)
        for name, (kinds, unused) in UNUSED.items():
            if self.instance.trigger not in kinds:
                setattr(self.instance, name, unused)
        task = self.instance
        if task.retry_backoff != Backoff.LIST:
            task.retry_delays = []
        if task.trigger == TriggerKind.ONCE and task.run_at is None and task.delay_seconds is not None:
            task.run_at = timezone.now() + timedelta(seconds=task.delay_seconds)
        if self.params_form is not None:
            self.instance.params = self.params_form.params(self.cleaned_data)
        elif self.instance.params is None:
            self.instance.params = {}
        for problem in find_problems(self.instance, calendars=self.cleaned_data.get("calendars")):
            self._show(problem)

    def _compare_with_stored(self) -> None:
        """Refuse the form once when somebody saved the task since it was made, and keep a pause meanwhile."""
        stored, seen = self._stored, Seen.read(self.cleaned_data.get("seen") or "")
        if stored is None or seen is None:
            return
        if self.cleaned_data.get("enabled") == seen.enabled:
            self.cleaned_data["enabled"] = stored.enabled
        if seen.version != stored.version:
            self.add_error(None, saved_meanwhile(self.instance, seen, stored.version))
            # Whoever has read that may save all the same.
            posted = cast("QueryDict", self.data).copy()
            posted[self.add_prefix("seen")] = str(stored)
            self.data = posted

    def keep_up_with(self, now: Task) -> None:
        """Take over what became of the task since the form was checked; ``now`` is its row, locked.

        Raises ValidationError when it was saved meanwhile.
        """
        stored, seen = self._stored, Seen.read(self.cleaned_data.get("seen") or "")
        if stored is None or seen is None:
            return
        if now.version != stored.version:
            raise ValidationError(saved_meanwhile(now, stored, now.version))
        if self.instance.enabled == stored.enabled:
            self.instance.enabled = now.enabled

    def _show(self, problem: Problem) -> None:
        field, message = self._place(problem)
        # A value that could not be read has its error already; what follows from it is no news.
        if field not in self.errors or field is None:
            self.add_error(field, message)

    def _place(self, problem: Problem) -> tuple[str | None, str]:
        """Return the form field that a problem belongs to, and the sentence to show there."""
        if problem.field == NON_FIELD_ERRORS:
            taken = next(each for each in Task._meta.constraints if each.name == _NAME_IS_TAKEN)
            return ("name" if problem.message == str(taken.violation_error_message) else None), problem.message
        if problem.field != "params" or self.params_form is None:
            return (problem.field if problem.field in self.fields else None), str(problem)
        field = self.params_form.field_of(problem.path, problem.message)
        rest = ".".join(map(str, problem.path[1:])) if field else ".".join(map(str, problem.path))
        return field, f"{rest}: {problem.message}" if rest else problem.message


def task_form_class(handler: str, stored: Mapping[str, Any], suggestions: Suggestions) -> type[TaskForm]:
    """Return the form class for tasks of ``handler``; ``stored`` are the params that fill its fields."""
    spec = catalogue.get(handler)
    if spec is None:
        params = JsonTextField(
            schema=None, root={}, stored=dict(stored), label=_("params"), required=False, initial=dict(stored)
        )
        return type("TaskForm", (TaskForm,), {"params": params})
    params_form = build_params_form(spec.params_schema(), stored, suggestions)
    names = dict(zip(params_form.names(), params_form.fields.values(), strict=True))
    return type("TaskForm", (TaskForm,), {**names, "params_form": params_form})
