"""TaskClock: when a task fires next. Written by schedulers and database triggers only."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from scheduling.models.task import Task


class TaskClock(models.Model):
    """The clock of one task, apart from the row that people edit, so that no edit can rewind it."""

    task = models.OneToOneField(Task, models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="clock")
    next_run_at = models.DateTimeField(
        _("next run"), null=True, help_text=_("Empty while the task is paused, finished or manual.")
    )
    #: The tick that was next when the task was paused; resuming goes on from it.
    held_at = models.DateTimeField(null=True)
    #: The trigger yields no tick at or before this moment: creation, or the last edit of the schedule.
    planned_from = models.DateTimeField()
    #: The schedule was edited, and no scheduler has planned it anew yet. Nothing fires meanwhile.
    dirty = models.BooleanField(default=True)
    #: A fixed delay: fired, and waiting for the end of the instance that its next run counts from.
    awaits_end = models.BooleanField(default=False, db_default=False)
    #: Why the schedule could not be planned; empty when it could.
    error = models.TextField(default="", db_default="")
    last_fired_for = models.DateTimeField(_("last fired for"), null=True)

    class Meta:
        db_table = "rota_task_clock"
        verbose_name = _("task clock")
        verbose_name_plural = _("task clocks")

    def __str__(self) -> str:
        return f"{self.task_id}: {self.next_run_at}"
