"""QueueEntry: the live, narrow row of an unfinished instance; gone when it ends."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Namespace
from scheduling.domain.states import EntryState
from scheduling.models.instance import TaskInstance
from scheduling.models.task import Task


class QueueEntry(models.Model):
    """One live instance. The hot path reads and writes this table with SQL of its own (engine/sql)."""

    instance = models.OneToOneField(
        TaskInstance, models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="queue_entry"
    )
    scheduled_for = models.DateTimeField()
    namespace = models.ForeignKey(Namespace, models.DO_NOTHING, db_constraint=False, db_index=False)
    task = models.ForeignKey(Task, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="queue_entries")
    task_version = models.PositiveIntegerField()
    queue = models.CharField(max_length=100)
    handler = models.CharField(max_length=100)
    state = models.SmallIntegerField(
        choices=[(state.value, state.name.lower()) for state in EntryState], verbose_name=_("state")
    )
    #: run_at − priority × 30 s: a higher priority jumps ahead, a lower one is overtaken for a while only.
    sort_key = models.DateTimeField()
    run_at = models.DateTimeField()
    attempt = models.SmallIntegerField(default=0)
    #: How many of the attempts were lost with their worker; they do not count as attempts of the task's own.
    losses = models.SmallIntegerField(default=0)
    #: How many of the attempts asked to be tried later, which does not count either.
    postponed = models.SmallIntegerField(default=0)
    max_attempts = models.SmallIntegerField(default=1)
    timeout_seconds = models.IntegerField(null=True)
    #: What admission counts by: the task's id, or a negative number made from its concurrency key. NULL: unlimited.
    gate = models.BigIntegerField(null=True)
    pool_id = models.IntegerField(null=True)
    pool_weight = models.SmallIntegerField(default=1)
    #: Whether the instance carries params of its own.
    own_params = models.BooleanField(default=False)
    #: The id of the execution that holds the lease; every report must show it.
    lease_id = models.BigIntegerField(null=True)
    #: The incarnation of the worker that holds it.
    holder = models.BigIntegerField(null=True)
    claimed_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    #: Whether it is to be stopped without its grace.
    kill_requested = models.BooleanField(default=False)
    #: The backfill that it belongs to.
    backfill_id = models.IntegerField(null=True)
    #: The reason that it shall end with; NULL is `cancelled`.
    cancel_reason = models.CharField(max_length=50, null=True)  # noqa: DJ001 - NULL is "the ordinary one"
    cancel_message = models.TextField(null=True)  # noqa: DJ001 - NULL is "nobody asked"

    class Meta:
        db_table = "rota_queue_entry"
        verbose_name = _("queue entry")
        verbose_name_plural = _("queue entries")

    def __str__(self) -> str:
        return f"#{self.instance_id} {EntryState(self.state).name.lower()}"
