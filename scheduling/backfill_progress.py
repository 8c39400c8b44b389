"""What people see of a backfill: how far it is, by the state of its instances."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from accounts.permissions import Somebody
from scheduling.models import Backfill, QueueEntry, TaskInstance
from scheduling.models.backfill import BackfillQuerySet


@dataclass(frozen=True, kw_only=True, slots=True)
class BackfillProgress:
    """How many ticks of a backfill stand how; all of them together are its total."""

    total: int
    #: Not turned into instances yet. A stopped backfill leaves them.
    to_come: int
    #: Waiting or ready.
    waiting: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    skipped: int

    @property
    def ended(self) -> int:
        """How many have their final state."""
        return self.succeeded + self.failed + self.cancelled + self.skipped

    @property
    def percent(self) -> int:
        """How much of it has ended, from 0 to 100."""
        return 100 * self.ended // self.total if self.total else 100


def visible_backfills(user: Somebody) -> BackfillQuerySet:
    """The backfills that ``user`` may see, newest first; their lists of ticks are left in the database."""
    return (
        Backfill.objects.visible_to(user)
        .select_related("namespace", "task", "created_by")
        .defer("ticks")
        .order_by("-id")
    )


def backfill_progress(backfill: Backfill) -> BackfillProgress:
    """Return how far ``backfill`` is, with two queries: one on the days of its range, one on the queue."""
    ended = dict(
        TaskInstance.objects.filter(
            backfill_id=backfill.pk,
            task=backfill.task_id,
            scheduled_for__range=(backfill.from_at, backfill.until_at),
            outcome__isnull=False,
        )
        .order_by()
        .values_list("outcome")
        .annotate(count=Count("*"))
    )
    entries = QueueEntry.objects.filter(task=backfill.task_id, backfill_id=backfill.pk).order_by()
    running = entries.filter(state=1).count()
    finals = {outcome: ended.get(outcome, 0) for outcome in ("succeeded", "failed", "cancelled", "skipped")}
    waiting = max(backfill.created_count - sum(finals.values()) - running, 0)
    return BackfillProgress(
        total=backfill.total,
        to_come=max(backfill.total - backfill.created_count, 0),
        waiting=waiting,
        running=running,
        **finals,
    )
