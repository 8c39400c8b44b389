"""PromiseCheck: what the last look at the promises about the queue has found. One row."""

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _


class PromiseCheck(models.Model):
    """The latest look that a scheduler took, and the one that is under way, if any."""

    #: There is one row, and this is it.
    THE_ONE = 1

    id = models.SmallIntegerField(primary_key=True, default=THE_ONE)
    begun_at = models.DateTimeField()
    #: When the look that found `broken` was begun; empty until the first one has ended.
    checked_at = models.DateTimeField(null=True)
    lasted = models.DurationField(default=timedelta)
    #: How many rows break each promise, by the promise as one word.
    broken = models.JSONField(default=dict)

    class Meta:
        db_table = "rota_promise_check"
        verbose_name = _("check of the promises")
        verbose_name_plural = _("checks of the promises")

    def __str__(self) -> str:
        return f"{self.checked_at} {self.broken}"
