"""SchedulePeriod: from when a task followed which schedule. Written by database triggers and never by people."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from scheduling.models.task import Task


class SchedulePeriod(models.Model):
    """One stretch of a task's life with one schedule, running or paused; it ends where the next one begins.

    Revisions tell what a definition said; pauses are no part of it. The ledger needs both, to the same microsecond
    that the clock went by.
    """

    id = models.BigAutoField(primary_key=True)
    task = models.ForeignKey(Task, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="periods")
    #: Ticks strictly later than this belong to the period.
    begins_at = models.DateTimeField(_("begins at"))
    #: Ticks of the period before, up to this moment, belong to that one. The same as `begins_at`, or later: a single
    #: run that was meant for "now" lies in the past by the time it gets here.
    took_over_at = models.DateTimeField(_("took over at"))
    version = models.PositiveIntegerField(_("version"))
    enabled = models.BooleanField(_("enabled"))
    #: Set where the clock began anew: earlier ticks that lie after this moment had not been decided yet, and the
    #: change passed over them. Empty where the clock went on.
    undecided_after = models.DateTimeField(null=True)
    #: A scheduler has yet to look for such ticks, and to record them as skipped.
    to_record = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "rota_schedule_period"
        verbose_name = _("schedule period")
        verbose_name_plural = _("schedule periods")
        indexes = [
            models.Index("task", "id", name="rota_schedule_period_task"),
            models.Index("id", name="rota_schedule_period_to_record", condition=models.Q(to_record=True)),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} v{self.version} {self.begins_at:%Y-%m-%d %H:%M:%S}"
