"""Backfill: a past range of a task's ticks, run on request."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Namespace
from accounts.permissions import Somebody, visible_to
from scheduling.models.task import Task

BACKFILL_OVERLAP_CHOICES = [("queue_all", _("One after the other")), ("allow", _("Side by side"))]
REPROCESS_CHOICES = [
    ("none", _("Only ticks that have no run")),
    ("failed", _("Those that failed, too")),
    ("all", _("All of them")),
]
BACKFILL_STATE_CHOICES = [("running", _("running")), ("finished", _("finished")), ("stopped", _("stopped"))]


class BackfillQuerySet(models.QuerySet["Backfill"]):
    """Adjectives for backfills."""

    def visible_to(self, user: Somebody) -> Self:
        """The backfills in namespaces that ``user`` may see."""
        return visible_to(user, self)


class Backfill(models.Model):
    """One request to run the ticks of a task between two moments, worked off by the schedulers."""

    id = models.AutoField(primary_key=True)
    namespace = models.ForeignKey(Namespace, models.PROTECT, related_name="backfills", verbose_name=_("namespace"))
    task = models.ForeignKey(Task, models.CASCADE, related_name="backfills", verbose_name=_("task"))
    from_at = models.DateTimeField(_("from"))
    until_at = models.DateTimeField(_("until"), help_text=_("Included."))
    overlap = models.CharField(
        _("overlap"),
        max_length=20,
        choices=BACKFILL_OVERLAP_CHOICES,
        default="queue_all",
    )
    reprocess = models.CharField(
        _("reprocess"),
        max_length=20,
        choices=REPROCESS_CHOICES,
        default="none",
    )
    max_parallel = models.PositiveIntegerField(_("most at once"), default=1, validators=[MinValueValidator(1)])
    state = models.CharField(
        _("state"),
        max_length=20,
        choices=BACKFILL_STATE_CHOICES,
        default="running",
    )
    #: What is to be run, oldest first; fixed when the backfill was made, so that it does what its dry run said.
    ticks = ArrayField(models.DateTimeField(), verbose_name=_("ticks"), default=list)
    total = models.PositiveIntegerField(_("ticks"), default=0)
    #: How many of `ticks`, from the first on, have become instances.
    created_count = models.PositiveIntegerField(_("created"), default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    objects = BackfillQuerySet.as_manager()

    class Meta:
        db_table = "rota_backfill"
        verbose_name = _("backfill")
        verbose_name_plural = _("backfills")
        ordering = ["-id"]
        indexes = [
            models.Index("id", name="rota_backfill_running", condition=models.Q(state="running")),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.from_at:%Y-%m-%d} – {self.until_at:%Y-%m-%d}"
