"""Calendar: named days and hours on which tasks do not run, or run after all."""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Namespace
from accounts.permissions import Somebody, visible_to
from scheduling.domain import calendars as domain
from scheduling.domain.errors import InvalidField


class CalendarQuerySet(models.QuerySet["Calendar"]):
    """Adjectives for calendars."""

    def visible_to(self, user: Somebody) -> Self:
        """The calendars in namespaces that ``user`` may see."""
        return visible_to(user, self)


class Calendar(models.Model):
    """A reusable set of rules, read on the wall clock of the task that uses it."""

    id = models.AutoField(primary_key=True)
    namespace = models.ForeignKey(Namespace, models.PROTECT, related_name="calendars", verbose_name=_("namespace"))
    name = models.CharField(_("name"), max_length=100)
    description = models.TextField(_("description"), blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    objects = CalendarQuerySet.as_manager()

    class Meta:
        db_table = "rota_calendar"
        verbose_name = _("calendar")
        verbose_name_plural = _("calendars")
        ordering = ["namespace", "name"]
        constraints = [
            models.UniqueConstraint(
                "namespace",
                "name",
                name="calendar_name_is_unique_in_namespace",
                violation_error_message=_("A calendar with this name exists in this namespace."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class CalendarRule(models.Model):
    """One rule of a calendar. Which fields count depends on `kind`; the others stay empty.

    An inclusion wins over a blackout: it is how a make-up working day overrules the weekend.
    """

    id = models.AutoField(primary_key=True)
    calendar = models.ForeignKey(Calendar, models.CASCADE, related_name="rules", verbose_name=_("calendar"))
    effect = models.CharField(
        _("effect"),
        max_length=20,
        choices=[("blackout", _("Blackout: do not run")), ("inclusion", _("Inclusion: run after all"))],
        default="blackout",
    )
    kind = models.CharField(
        _("kind"),
        max_length=20,
        choices=[
            ("dates", _("A date or a range of dates")),
            ("yearly", _("The same day each year")),
            ("weekdays", _("Days of the week")),
            ("hours", _("Hours of the day")),
        ],
        default="dates",
    )
    first_day = models.DateField(_("first day"), null=True, blank=True)
    last_day = models.DateField(_("last day"), null=True, blank=True, help_text=_("Empty: one day only."))
    month = models.PositiveSmallIntegerField(_("month"), null=True, blank=True)
    day = models.PositiveSmallIntegerField(_("day"), null=True, blank=True)
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        verbose_name=_("days of the week"),
        null=True,
        blank=True,
        help_text=_("1 is Monday, 7 is Sunday."),
    )
    from_time = models.TimeField(_("from"), null=True, blank=True)
    until_time = models.TimeField(
        _("until"), null=True, blank=True, help_text=_("Not included. Before “from”: it ends on the next day.")
    )
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        db_table = "rota_calendar_rule"
        verbose_name = _("calendar rule")
        verbose_name_plural = _("calendar rules")
        ordering = ["calendar", "effect", "kind", "first_day", "month", "day", "id"]

    def __str__(self) -> str:
        return self.note or f"{self.effect} {self.kind}"

    def clean(self) -> None:
        """Refuse fields that are missing, do not fit, or mean nothing for the rule's kind."""
        try:
            self.as_rule().check()
        except InvalidField as error:
            raise ValidationError({error.field: gettext(error.message) % error.params}) from error
        except ValueError:
            # The choices of effect and kind have been refused already.
            return

    def as_rule(self) -> domain.Rule:
        """Return the rule as the domain reads it; raises ValueError for an effect or kind that there is not."""
        return domain.Rule(
            effect=domain.Effect(self.effect),
            kind=domain.RuleKind(self.kind),
            first_day=self.first_day,
            last_day=self.last_day,
            month=self.month,
            day=self.day,
            weekdays=tuple(self.weekdays or ()),
            from_time=self.from_time,
            until_time=self.until_time,
            note=self.note,
        )
