"""Misfires: what is done about a due tick, and which tick comes next.

A tick that is picked up within its grace is simply late. One that is picked up later is a misfire, and the
task's catch-up policy decides about it and about the misfires that piled up behind it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from scheduling.domain.calendars import Blackout, TaskCalendars
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.domain.triggers.walk import fire_from_end, latest_fire

#: From this many on, a count of missed ticks means "at least so many".
MISSED_COUNT_CAP = 10_000
#: The shortest grace that is chosen for a task which names none.
MINIMUM_GRACE = timedelta(seconds=60)


class CatchUp(StrEnum):
    """What is done about misfires. The first member is the default."""

    #: One instance for the latest missed tick stands for all of them.
    LATEST = "latest"
    #: None runs; one skipped instance records them.
    NONE = "none"
    #: Each runs, up to a limit; one skipped instance records the oldest ones beyond it.
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class FirePlan:
    """What becomes of a due tick.

    One instance is made for ``fire_for``; ``runs`` says whether it is to run or only to record a skip.
    ``missed_count`` is the number of missed ticks that it stands for, itself included: 0 when the tick is not
    a misfire, and from ``MISSED_COUNT_CAP`` on "at least". ``missed_since`` is the first of them.
    ``next_run_at`` is when the task is due again, or None when it never is. ``blackout`` is set when a calendar
    is why it does not run.
    """

    fire_for: datetime
    runs: bool
    missed_count: int
    missed_since: datetime | None
    next_run_at: datetime | None
    blackout: Blackout | None = None

    @property
    def message(self) -> str:
        """Why it does not run, or what it stands for, as a sentence in English; empty for an ordinary tick."""
        sentences = [] if self.blackout is None else [self.blackout.sentence]
        if self.missed_since is not None and (self.missed_count > 1 or self.blackout is None):
            count = f"at least {self.missed_count}" if self.missed_count >= MISSED_COUNT_CAP else self.missed_count
            ticks = "tick" if self.missed_count == 1 else "ticks"
            since = f"since {self.missed_since:%Y-%m-%d %H:%M:%S} UTC"
            missed = "missed " if self.blackout is None else ""
            end = "" if self.runs or self.blackout is not None else ", not caught up"
            sentences.append(f"Stands for {count} {missed}{ticks} {since}{end}.")
        return " ".join(sentences)


def default_grace(trigger: Trigger, due: datetime) -> timedelta:
    """Return the grace of a task that names none: 60 seconds, or a tenth of the period if that is more.

    The period is the time from ``due`` to the next fire.
    """
    following = trigger.next_after(due)
    return MINIMUM_GRACE if following is None else max(MINIMUM_GRACE, (following - due) / 10)


def plan_fire(
    *,
    due: datetime,
    now: datetime,
    trigger: Trigger,
    floor: datetime | None,
    catch_up: CatchUp,
    grace: timedelta | None,
    max_catch_up: int,
    calendars: TaskCalendars | None = None,
) -> FirePlan:
    """Decide about the tick ``due`` at the moment ``now``.

    No fire at or before ``floor`` is ever taken up besides ``due`` itself, so that a schedule which was
    edited at that moment yields no ticks from before the edit. ``grace`` None means ``default_grace``;
    ``max_catch_up`` is the limit of ``CatchUp.ALL``. Raises ValueError when the tick is not due yet.

    ``LATEST`` and ``NONE`` take everything up to ``now`` together, also the last tick if that one is still
    within its grace: one decision, one instance. ``ALL`` leaves such ticks to their own turn.

    A tick that ``calendars`` black out is recorded and does not run. Of several misfires, ``LATEST`` runs the
    latest one that is allowed; those that are blacked out before the first and after the last allowed one are
    a record of their own.
    """
    if now < due:
        raise ValueError("nothing fires early")
    if grace is None:
        grace = default_grace(trigger, due)
    start = due if floor is None else max(due, floor)
    blackout = None if calendars is None else calendars.blackout(due)
    if now - due <= grace:
        return FirePlan(
            fire_for=due,
            runs=blackout is None,
            missed_count=0,
            missed_since=None,
            next_run_at=trigger.next_after(start),
            blackout=blackout,
        )
    if catch_up is CatchUp.ALL:
        return _plan_each(due, start, now - grace - INSTANT, trigger, max_catch_up, blackout)
    runs = catch_up is CatchUp.LATEST
    if calendars is None:
        return _coalesced(due, start, now, trigger, runs=runs)
    if blackout is not None:
        first = calendars.first_allowed(trigger, start, now)
        return _coalesced(due, start, now if first is None else first - INSTANT, trigger, blackout=blackout)
    if not runs:
        return _coalesced(due, start, now, trigger)
    return _coalesced(due, start, calendars.latest_allowed(trigger, start, now) or due, trigger, runs=True)


def _coalesced(
    due: datetime,
    start: datetime,
    until: datetime,
    trigger: Trigger,
    *,
    runs: bool = False,
    blackout: Blackout | None = None,
) -> FirePlan:
    """Take ``due`` and the fires in (``start``, ``until``] together into the latest of them."""
    latest = latest_fire(trigger, start, until)
    if latest is None:
        latest, count, start_of_next = due, 1, start
    else:
        count = 1 + trigger.count_between(start, latest, cap=MISSED_COUNT_CAP - 1)
        start_of_next = latest
    return FirePlan(
        fire_for=latest,
        runs=runs,
        missed_count=count,
        missed_since=due,
        next_run_at=trigger.next_after(start_of_next),
        blackout=blackout,
    )


def _plan_each(
    due: datetime,
    start: datetime,
    last_misfire: datetime,
    trigger: Trigger,
    max_catch_up: int,
    blackout: Blackout | None,
) -> FirePlan:
    """Run ``due`` alone, or skip the oldest misfires when more than ``max_catch_up`` of them wait."""
    missed = 1 + trigger.count_between(start, last_misfire, cap=max_catch_up)
    if missed > max_catch_up:
        if max_catch_up < 1:
            return _coalesced(due, start, last_misfire, trigger)
        first_kept = fire_from_end(trigger, start, last_misfire, max_catch_up)
        return _coalesced(due, start, first_kept - INSTANT, trigger)
    return FirePlan(
        fire_for=due,
        runs=blackout is None,
        missed_count=1,
        missed_since=due,
        next_run_at=trigger.next_after(start),
        blackout=blackout,
    )
