"""The forms of calendars: rules beside each other, and which public holidays are wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts.admin.labelled_rows import label_controls
from scheduling.admin.widgets import SuggestingInput
from scheduling.models import Calendar, CalendarRule
from scheduling.services import find_calendar_problems
from scheduling.services.public_holidays import MOST_YEARS, countries

if TYPE_CHECKING:
    RuleModelForm = forms.ModelForm[CalendarRule]
    RuleInlineFormSet = forms.BaseInlineFormSet[CalendarRule, Calendar, RuleModelForm]
else:
    # Django's own classes are generic for type checkers only.
    RuleModelForm = forms.ModelForm
    RuleInlineFormSet = forms.BaseInlineFormSet

#: ISO numbers: 1 is Monday.
WEEKDAYS = [(number + 1, name) for number, name in WEEKDAYS_ABBR.items()]


class RuleForm(RuleModelForm):
    """One rule. What is wrong with it, the rule itself says."""

    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("days of the week"),
        coerce=int,
        choices=WEEKDAYS,
        required=False,
        empty_value=None,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = CalendarRule
        fields = (
            "effect",
            "kind",
            "note",
            "first_day",
            "last_day",
            "weekdays",
            "month",
            "day",
            "from_time",
            "until_time",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        label_controls(self)


class RuleFormSet(RuleInlineFormSet):
    """The rules of one calendar, and whether they leave the tasks that use it any tick."""

    def kept(self) -> list[CalendarRule]:
        """Return the rules that the calendar shall have."""
        used = [form for form in self.forms if form.has_changed() or not form.instance._state.adding]
        return [form.instance for form in used if form not in self.deleted_forms]

    def clean(self) -> None:
        """Refuse rules that black out everything."""
        super().clean()
        if any(self.errors):
            return
        problems = find_calendar_problems(self.instance, self.kept())
        # The calendar's own fields have answered for themselves; a rule's have, too.
        for problem in problems:
            if problem.field == "rules" and not problem.path:
                raise ValidationError(problem.message)


def _country_codes() -> Iterable[str]:
    return sorted(countries())


class HolidaysForm(forms.Form):
    """Which public holidays are wanted."""

    country = forms.CharField(
        label=gettext_lazy("country"),
        help_text=gettext_lazy("Its ISO 3166 code, such as CN or DE."),
        widget=SuggestingInput(_country_codes),
    )
    subdivision = forms.CharField(
        label=gettext_lazy("state or province"),
        required=False,
        help_text=gettext_lazy("Its code, such as BY; empty for the holidays of the whole country."),
        widget=UnfoldAdminTextInputWidget,
    )
    years = forms.CharField(
        label=gettext_lazy("years"),
        help_text=gettext_lazy("Such as 2026, or 2026–2028."),
        widget=UnfoldAdminTextInputWidget,
    )
    weekends = forms.BooleanField(
        label=gettext_lazy("black out the country's weekend as well"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    def clean_years(self) -> list[int]:
        """Return the years; a range is written with a dash."""
        years: set[int] = set()
        for part in re.split(r"[\s,;]+", str(self.cleaned_data["years"]).strip()):
            found = re.fullmatch(r"(\d{4})(?:[-–](\d{4}))?", part)
            if found is None:
                raise ValidationError(_("Give years such as 2026, or 2026–2028."))
            first, last = int(found[1]), int(found[2] or found[1])
            if not 0 <= last - first < MOST_YEARS:
                raise ValidationError(_("Give between 1 and %(n)d years.") % {"n": MOST_YEARS})
            years.update(range(first, last + 1))
        return sorted(years)

    def refuse(self, error: ValidationError) -> None:
        """Show what the service found wrong, beside its field."""
        by_field: dict[str, Any] = getattr(error, "error_dict", None) or {"country": error.messages}
        for name, problems in by_field.items():
            self.add_error(name if name in self.fields else None, problems)
