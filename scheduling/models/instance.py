"""TaskInstance: one planned occurrence of a task, from its firing to its final state."""

from __future__ import annotations

from datetime import UTC
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Case, F, When
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import Namespace
from accounts.permissions import Somebody, visible_to
from scheduling.domain.misfire import MISSED_COUNT_CAP
from scheduling.domain.states import STATE_OF_ENTRY, EntryState, InstanceState, Origin
from scheduling.models.task import Task
from scheduling.stored_sentences import retold

STATE_LABELS = {
    InstanceState.WAITING: _("waiting"),
    InstanceState.READY: _("ready"),
    InstanceState.RUNNING: _("running"),
    InstanceState.SUCCEEDED: _("succeeded"),
    InstanceState.FAILED: _("failed"),
    InstanceState.CANCELLED: _("cancelled"),
    InstanceState.SKIPPED: _("skipped"),
}


class TaskInstanceQuerySet(models.QuerySet["TaskInstance"]):
    """Adjectives for instances."""

    def visible_to(self, user: Somebody) -> Self:
        """The instances in namespaces that ``user`` may see."""
        return visible_to(user, self)

    def with_entry(self) -> Self:
        """Fetch the queue entry of live instances along, so that `state` costs no further query."""
        return self.select_related("queue_entry")

    def in_state(self, state: InstanceState) -> Self:
        """The instances that a person sees in ``state`` now.

        Live states are looked up in the small queue and final ones in the history, so that asking for
        what runs never walks the history.
        """
        entry_states = [entry.value for entry, seen in STATE_OF_ENTRY.items() if seen is state]
        if entry_states:
            # With the key of the partitions, so that each row is looked for on its own day.
            return self.filter(queue_entry__state__in=entry_states, queue_entry__scheduled_for=F("scheduled_for"))
        if state is InstanceState.SUCCEEDED:
            return self.filter(outcome=state.value)
        return self.filter(rare_outcome=state.value)


class TaskInstance(models.Model):
    """One planned occurrence of a task.

    The table is partitioned by `scheduled_for`, and its real key is (id, scheduled_for). `outcome` is empty
    until the instance ends; until then its queue entry tells how it stands, and `state` joins the two.
    """

    id = models.BigAutoField(primary_key=True)
    scheduled_for = models.DateTimeField(_("scheduled for"), help_text=_("The nominal moment. It never changes."))
    namespace = models.ForeignKey(
        Namespace, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("namespace")
    )
    task = models.ForeignKey(
        Task,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="instances",
        verbose_name=_("task"),
    )
    task_version = models.PositiveIntegerField(_("task version"))
    #: Empty for a tick of the trigger: one instance for each task and moment. Others draw a key of their own.
    fire_key = models.CharField(max_length=100, default="")
    origin = models.CharField(
        _("origin"),
        max_length=20,
        choices=[
            (Origin.SCHEDULE.value, _("schedule")),
            (Origin.MANUAL.value, _("by hand")),
            (Origin.API.value, _("API")),
            (Origin.CODE.value, _("code")),
            (Origin.RERUN.value, _("run again")),
            (Origin.BACKFILL.value, _("backfill")),
        ],
        default=Origin.SCHEDULE.value,
    )
    outcome = models.CharField(_("outcome"), max_length=20, null=True)  # noqa: DJ001 - NULL is "unfinished"
    reason = models.CharField(_("reason"), max_length=50, default="")
    message = models.TextField(_("message"), default="")
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    params = models.JSONField(_("params"), null=True, help_text=_("Empty: those of the task at this version."))
    missed_count = models.PositiveIntegerField(
        _("stands for"), null=True, help_text=_("How many missed ticks this instance stands for.")
    )
    missed_since = models.DateTimeField(_("missed since"), null=True)
    triggered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        verbose_name=_("triggered by"),
    )
    rerun_of = models.BigIntegerField(_("run again of"), null=True)
    backfill_id = models.IntegerField(_("backfill"), null=True)
    last_execution_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(_("created at"))
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    #: Set only when it failed, and indexed where it is.
    failed_at = models.DateTimeField(null=True)
    #: The outcome, unless it is success; by it, lists find what is rare in a long history.
    rare_outcome = models.GeneratedField(
        expression=Case(When(~models.Q(outcome="succeeded"), then=F("outcome"))),
        output_field=models.CharField(max_length=20, null=True),
        db_persist=True,
    )

    objects = TaskInstanceQuerySet.as_manager()

    class Meta:
        db_table = "rota_instance"
        verbose_name = _("instance")
        verbose_name_plural = _("instances")

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def state(self) -> InstanceState:
        """What the instance is doing now: its outcome, or how its queue entry stands."""
        if self.outcome is not None:
            return InstanceState(self.outcome)
        try:
            return STATE_OF_ENTRY[EntryState(self.queue_entry.state)]
        except TaskInstance.queue_entry.RelatedObjectDoesNotExist:
            # It ended between reading the two rows.
            self.refresh_from_db(fields=["outcome"])
            return InstanceState(self.outcome or InstanceState.WAITING)

    @property
    def state_label(self) -> str:
        """The state as a word for people."""
        return str(STATE_LABELS[self.state])

    @property
    def note(self) -> str:
        """For how many missed ticks it stands, as a sentence for people; empty for an ordinary one.

        Its message says the same until the work ends, and then how that ended.
        """
        if self.missed_count is None or self.missed_since is None:
            return ""
        since = f"{self.missed_since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if self.missed_count >= MISSED_COUNT_CAP:
            return _("Stands for at least %(n)d missed ticks since %(since)s.") % {
                "n": self.missed_count,
                "since": since,
            }
        sentence = ngettext(
            "Stands for %(n)d missed tick since %(since)s.",
            "Stands for %(n)d missed ticks since %(since)s.",
            self.missed_count,
        )
        return sentence % {"n": self.missed_count, "since": since}

    @property
    def full_message(self) -> str:
        """Its message in the reader's language, preceded by the note where it does not say that by itself."""
        message = retold(self.message)
        if not self.note or self.outcome is None or self.outcome == InstanceState.SKIPPED:
            return message
        return f"{self.note} {message}".rstrip()

    @property
    def is_final(self) -> bool:
        """Whether the instance has ended; a final state never changes."""
        return self.outcome is not None
