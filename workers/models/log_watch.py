"""LogWatch: somebody has the log of an execution open just now."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class LogWatch(models.Model):
    """Tells the worker of an execution that a push about its log would be heard.

    Renewed by those who watch, and worth nothing after `until`. A table without a log of its own: after a crash of
    the database it is empty, and filled again within seconds.
    """

    execution_id = models.BigIntegerField(primary_key=True)
    until = models.DateTimeField()

    class Meta:
        db_table = "rota_log_watch"
        verbose_name = _("log watch")
        verbose_name_plural = _("log watches")

    def __str__(self) -> str:
        return f"#{self.execution_id}"
