"""Schedulers: how many live, and how punctual they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduling.domain.states import SchedulerHealth
from scheduling.models import Scheduler

#: What went silent longer ago is no news.
LATELY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class SchedulersHealth:
    """The schedulers together. Those that ended in order are left out."""

    online: int
    lost: int
    #: Of the lost ones, those that were heard of within the last day.
    lost_lately: int
    #: How late the latest firings of the least punctual one were.
    lag_seconds: float | None


def schedulers_health(now: datetime) -> SchedulersHealth:
    """Return how the schedulers do at ``now``, by the database's clock. One query."""
    known = list(Scheduler.objects.filter(stopped_at=None))
    health = Counter(each.health(now) for each in known)
    lags = [each.lag_seconds for each in known if each.health(now) is SchedulerHealth.ONLINE]
    lost = [each for each in known if each.health(now) is SchedulerHealth.LOST]
    return SchedulersHealth(
        online=health[SchedulerHealth.ONLINE],
        lost=len(lost),
        lost_lately=sum(now - each.last_seen_at < LATELY for each in lost),
        lag_seconds=max(lags, default=None),
    )
