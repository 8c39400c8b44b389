"""Execution: one attempt at an instance by one node. Its id is the lease id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from django.db import models
from django.db.models import Case, F, When
from django.utils.translation import gettext_lazy as _

from accounts.models import Namespace
from accounts.permissions import Somebody, visible_to
from scheduling.domain.states import EntryState
from scheduling.models import QueueEntry, Task, TaskInstance
from scheduling.stored_sentences import retold
from workers.domain.states import ExecutionState
from workers.models.node import Node

EXECUTION_STATE_LABELS = {
    ExecutionState.RUNNING: _("running"),
    ExecutionState.SUCCEEDED: _("succeeded"),
    ExecutionState.FAILED: _("failed"),
    ExecutionState.TIMED_OUT: _("timed out"),
    ExecutionState.CANCELLED: _("cancelled"),
    ExecutionState.LOST: _("lost"),
}


class ExecutionQuerySet(models.QuerySet["Execution"]):
    """Adjectives for executions."""

    def visible_to(self, user: Somebody) -> Self:
        """The executions in namespaces that ``user`` may see."""
        return visible_to(user, self)

    def in_state(self, state: ExecutionState) -> Self:
        """The executions in ``state``; what runs is looked up in the small queue, each on its own day."""
        if state is ExecutionState.RUNNING:
            leases = dict(
                QueueEntry.objects.filter(state=EntryState.RUNNING.value).values_list("lease_id", "scheduled_for")
            )
            if not leases:
                return self.none()
            days = (min(leases.values()), max(leases.values()))
            return self.filter(id__in=list(leases), scheduled_for__range=days, state=state.value)
        if state is ExecutionState.SUCCEEDED:
            return self.filter(state=state.value)
        return self.filter(rare_state=state.value)

    def of_task(self, task_id: int) -> Self:
        """The executions of one task."""
        return self.of_tasks([task_id])

    def of_tasks(self, ids: Sequence[int]) -> Self:
        """The executions of a few tasks, found by their instances: no index of executions begins with the task."""
        return self.filter(task_id__in=ids, instance__task_id__in=ids, instance__scheduled_for=F("scheduled_for"))


class Execution(models.Model):
    """One attempt at an instance.

    Written when it is claimed, as evidence should the worker vanish, and once more when it ends. The table
    is partitioned by the instance's `scheduled_for`; its real key is (id, scheduled_for).
    """

    id = models.BigAutoField(primary_key=True)
    scheduled_for = models.DateTimeField(_("scheduled for"))
    namespace = models.ForeignKey(
        Namespace, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("namespace")
    )
    instance = models.ForeignKey(
        TaskInstance,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="executions",
        verbose_name=_("instance"),
    )
    task = models.ForeignKey(
        Task,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="executions",
        verbose_name=_("task"),
    )
    attempt = models.SmallIntegerField(_("attempt"))
    node = models.ForeignKey(
        Node,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="executions",
        verbose_name=_("node"),
    )
    state = models.CharField(
        _("state"),
        max_length=20,
        choices=[(state.value, label) for state, label in EXECUTION_STATE_LABELS.items()],
        default=ExecutionState.RUNNING.value,
    )
    reason = models.CharField(_("reason"), max_length=50, default="")
    message = models.TextField(_("message"), default="")
    result = models.JSONField(_("result"), null=True)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)
    #: The state, unless it runs or succeeded; by it, lists find what is rare in a long history.
    rare_state = models.GeneratedField(
        expression=Case(When(~models.Q(state__in=["running", "succeeded"]), then=F("state"))),
        output_field=models.CharField(max_length=20, null=True),
        db_persist=True,
    )

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        db_table = "rota_execution"
        verbose_name = _("execution")
        verbose_name_plural = _("executions")

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def full_message(self) -> str:
        """Its message in the reader's language."""
        return retold(self.message)
