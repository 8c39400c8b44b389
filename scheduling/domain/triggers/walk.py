"""Finding and counting fires with nothing but a trigger's own two answers."""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache

from scheduling.domain.triggers.base import Trigger


def next_fires(trigger: Trigger, after: datetime, count: int) -> list[datetime]:
    """Return the first ``count`` fires strictly later than ``after``; fewer when the trigger ends before."""
    fires: list[datetime] = []
    moment = after
    while len(fires) < count and (fire := trigger.next_after(moment)) is not None:
        fires.append(fire)
        moment = fire
    return fires


def fires_between(trigger: Trigger, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the fires later than ``after`` and not later than ``until``, in order."""
    while (fire := trigger.next_after(after)) is not None and fire <= until:
        yield fire
        after = fire


# After an outage many tasks with one expression ask the same question in one batch.
@lru_cache(maxsize=4096)
def latest_fire(trigger: Trigger, after: datetime, until: datetime) -> datetime | None:
    """Return the last fire later than ``after`` and not later than ``until``, or None when there is none.

    The span is halved at each step, so three days of a fire each second cost some forty questions.
    """
    latest = trigger.next_after(after)
    if latest is None or latest > until:
        return None
    # No fire lies in (high, until].
    high = until
    while True:
        following = trigger.next_after(latest)
        if following is None or following > until:
            return latest
        latest = following
        middle = latest + (high - latest) / 2
        beyond = trigger.next_after(middle)
        if beyond is None or beyond > until:
            high = middle
        else:
            latest = beyond


def fire_from_end(trigger: Trigger, after: datetime, until: datetime, position: int) -> datetime:
    """Return the fire at ``position`` (1 is the last) from the end of the fires in (``after``, ``until``].

    Raises ValueError when there are fewer fires than that.
    """
    if position < 1 or trigger.count_between(after, until, cap=position) < position:
        raise ValueError("there are not that many fires")
    # At least `position` fires lie in (low, until], and fewer in (high, until].
    low, high = after, until
    while True:
        first = trigger.next_after(low)
        if first is None:  # the count above has shown that there is one
            raise ValueError("the trigger contradicts its own count")
        if trigger.count_between(first, until, cap=position) < position:
            return first
        low = first
        middle = low + (high - low) / 2
        if trigger.count_between(middle, until, cap=position) >= position:
            low = middle
        else:
            high = middle
