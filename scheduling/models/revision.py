"""TaskRevision: what a task's definition said at each version."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from scheduling.models.task import Task


class TaskRevision(models.Model):
    """One version of a task's definition, written by a database trigger and never changed.

    `definition` is the whole task row as JSON. Workers run an instance by the revision that it was fired
    with, so an edit never changes what is already under way. Revisions outlive their task, so that its
    history keeps a name.
    """

    pk = models.CompositePrimaryKey("task_id", "version")
    task = models.ForeignKey(Task, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="revisions")
    version = models.PositiveIntegerField(_("version"))
    definition = models.JSONField(_("definition"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "rota_task_revision"
        verbose_name = _("task revision")
        verbose_name_plural = _("task revisions")

    def __str__(self) -> str:
        return f"{self.definition.get('name')} v{self.version}"
