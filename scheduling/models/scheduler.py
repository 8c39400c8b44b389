"""Scheduler: one scheduler process, as it last said that it lives."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scheduling.conf import conf
from scheduling.domain.states import SchedulerHealth

SCHEDULER_HEALTH_LABELS = {
    SchedulerHealth.ONLINE: _("online"),
    SchedulerHealth.STOPPED: _("stopped"),
    SchedulerHealth.LOST: _("lost"),
}


class Scheduler(models.Model):
    """One scheduler process. Schedulers need no registry to be correct; people and the sharing of work do."""

    #: Drawn anew by each process, so that nobody speaks for another.
    id = models.AutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=255, default="")
    host = models.CharField(_("host"), max_length=255, default="")
    pid = models.IntegerField(_("process id"), default=0)
    version = models.CharField(_("version"), max_length=50, default="")
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    last_seen_at = models.DateTimeField(_("last heartbeat"), db_default=Now())
    stopped_at = models.DateTimeField(_("stopped at"), null=True)
    lag_seconds = models.FloatField(
        _("lag"), default=0, db_default=0, help_text=_("How late its latest firings were, at the worst, in seconds.")
    )
    #: What it has done since it started, by name: fired, promoted, reaped, …
    counts = models.JSONField(_("has done"), default=dict, db_default=models.Value({}, models.JSONField()))

    class Meta:
        db_table = "rota_scheduler"
        verbose_name = _("scheduler")
        verbose_name_plural = _("schedulers")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name

    def health(self, now: datetime) -> SchedulerHealth:
        """Return what to show at ``now``."""
        if self.stopped_at is not None:
            return SchedulerHealth.STOPPED
        if now - self.last_seen_at > timedelta(seconds=conf().live_seconds):
            return SchedulerHealth.LOST
        return SchedulerHealth.ONLINE
