"""What an instance that waits for its next attempt has behind it: its last attempt, and when the next one comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.zones import absolute
from scheduling.domain.states import EntryState
from scheduling.models import QueueEntry, TaskInstance
from scheduling.stored_sentences import retold


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedAttempt:
    """The attempt that failed last. As text it is a sentence for people."""

    #: Counted from 1, without those that were lost with their worker or put off.
    attempt: int
    max_attempts: int
    #: The work put itself off, which counts as no attempt.
    put_off: bool
    reason: str
    message: str
    next_at: datetime

    def __str__(self) -> str:
        """Return for example “Attempt 2 of 5 failed: It ended with exit code 75. Next at 2026-10-25 14:05:10 UTC.”."""
        words = {
            "attempt": self.attempt,
            "most": self.max_attempts,
            "why": retold(self.message) or self.reason,
            "moment": absolute(self.next_at),
        }
        if self.put_off:
            return _("Put off: %(why)s Next at %(moment)s.") % words
        return _("Attempt %(attempt)d of %(most)d failed: %(why)s Next at %(moment)s.") % words


def failed_attempt(instance: TaskInstance) -> FailedAttempt | None:
    """Return what failed last when ``instance`` waits for its next attempt, otherwise None; two queries."""
    entry = QueueEntry.objects.filter(pk=instance.pk, state=EntryState.DELAYED.value).first()
    if entry is None:
        return None
    last = instance.executions.filter(scheduled_for=instance.scheduled_for).order_by("-id").first()
    if last is None:
        return None
    return FailedAttempt(
        attempt=entry.attempt - entry.losses - entry.postponed,
        max_attempts=entry.max_attempts,
        put_off=last.reason == "put_off",
        reason=last.reason,
        message=last.message,
        next_at=entry.run_at,
    )
