"""What schedulers keep for charts: how many instances ended when, how, and how long they took.

The engine writes these tables with SQL of its own; `scheduling.statistics` reads them.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class StatRow(models.Model):
    """One class: instances of one task that ended in the same way and took about equally long.

    `bucket` is -1 for those that never started; see `scheduling.domain.histogram`. The sums are exact.
    """

    #: In the tables by hour, 0 is the namespace as a whole. No foreign key: tasks are deleted, what they did stays.
    task_id = models.IntegerField()
    namespace_id = models.BigIntegerField()
    outcome = models.CharField(max_length=20)
    bucket = models.SmallIntegerField()
    #: How long they took together, from their first start to their end.
    lasted = models.DurationField()
    #: How late they started together.
    waited = models.DurationField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.task_id} {self.outcome}"


class StatDelta(StatRow):
    """What a batch of ends added, until a scheduler folds it in."""

    # The table has no key; rows come and go by the thousand.
    pk = models.CompositePrimaryKey("task_id", "hour", "namespace_id", "outcome", "bucket")
    hour = models.DateTimeField()
    count = models.IntegerField()

    class Meta:
        db_table = "rota_stat_delta"
        verbose_name = _("unfolded statistics")
        verbose_name_plural = _("unfolded statistics")


class StatHour(StatRow):
    """What ended within an hour (UTC)."""

    pk = models.CompositePrimaryKey("task_id", "hour", "namespace_id", "outcome", "bucket")
    hour = models.DateTimeField()
    count = models.BigIntegerField()

    class Meta:
        db_table = "rota_stat_hour"
        verbose_name = _("statistics of an hour")
        verbose_name_plural = _("statistics by hour")


class StatDay(StatRow):
    """What ended within a day (UTC)."""

    pk = models.CompositePrimaryKey("task_id", "day", "namespace_id", "outcome", "bucket")
    day = models.DateTimeField()
    count = models.BigIntegerField()

    class Meta:
        db_table = "rota_stat_day"
        verbose_name = _("statistics of a day")
        verbose_name_plural = _("statistics by day")


class StatWindow(models.Model):
    """A range that sums by task are kept of, from `since` to before `until`: full hours (UTC)."""

    since = models.DateTimeField(primary_key=True)
    until = models.DateTimeField()

    class Meta:
        db_table = "rota_stat_window"
        verbose_name = _("range of sums")
        verbose_name_plural = _("ranges of sums")

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%dT%H}–{self.until:%Y-%m-%dT%H}"


class StatSum(models.Model):
    """What one task did in one such range."""

    pk = models.CompositePrimaryKey("since", "task_id", "namespace_id")
    since = models.DateTimeField()
    task_id = models.IntegerField()
    namespace_id = models.BigIntegerField()
    ended = models.BigIntegerField()
    failed = models.BigIntegerField()
    #: Those that succeeded or failed after a start, and how many microseconds they took together.
    ran = models.BigIntegerField()
    lasted_us = models.BigIntegerField()

    class Meta:
        db_table = "rota_stat_sum"
        verbose_name = _("sums of a task")
        verbose_name_plural = _("sums by task")

    def __str__(self) -> str:
        return f"{self.task_id} {self.ended}"
