"""LogChunk: a piece of an execution's output, in order, never changed."""

from django.db import models
from django.db.models import Value
from django.db.models.functions import Length, Replace, Right
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from accounts.models import Namespace
from workers.models.execution import Execution


class LogChunk(models.Model):
    """Up to 64 KiB of one stream of one execution.

    Chunks, not lines, so that a chatty task costs few rows. `seq` counts from 0 for each execution without
    a gap: a reader that has seen chunk n goes on at n + 1.
    """

    pk = models.CompositePrimaryKey("execution_id", "seq")
    execution = models.ForeignKey(
        Execution, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="log_chunks"
    )
    scheduled_for = models.DateTimeField()
    namespace = models.ForeignKey(Namespace, models.DO_NOTHING, db_constraint=False, db_index=False)
    seq = models.IntegerField()
    stream = models.CharField(_("stream"), max_length=10)
    at = models.DateTimeField(_("at"))
    body = models.TextField(_("text"))
    #: How many lines end in it, reckoned by the database, so that a page finds line n without reading the text.
    lines = models.GeneratedField(
        expression=Length("body") - Length(Replace("body", Value("\n"), Value(""))),
        output_field=models.IntegerField(),
        db_persist=True,
    )
    #: Whether the line at its end goes on.
    unended = models.GeneratedField(
        expression=~Exact(Right("body", 1), Value("\n")),
        output_field=models.BooleanField(),
        db_persist=True,
    )

    class Meta:
        db_table = "rota_log_chunk"
        verbose_name = _("log chunk")
        verbose_name_plural = _("log chunks")

    def __str__(self) -> str:
        return f"#{self.execution_id}/{self.seq}"
