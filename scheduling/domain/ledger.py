"""The ledger: what became of each tick of a task, and why.

Which ticks there were follows from the schedules that were in force, not from the rows that exist; so a tick that
left no trace cannot hide.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from scheduling.domain.errors import gettext_noop
from scheduling.domain.periods import Period, find_change
from scheduling.domain.states import PASSED_OVER, InstanceState, Reason

#: A tick whose instance was made more than so much after its moment was late.
LATE_AFTER = timedelta(seconds=1)


class TickState(StrEnum):
    """What became of a tick."""

    #: It has an instance; how that stands is another question.
    RAN = "ran"
    #: The same, and the instance was made after its moment.
    LATE = "late"
    #: A later instance stands for it.
    COALESCED = "coalesced"
    #: It was decided that it does not run.
    SKIPPED = "skipped"
    #: Its moment has come, and no scheduler has taken it up yet.
    DUE = "due"
    #: The task is paused; what becomes of it is decided when the task goes on.
    PAUSED = "paused"
    UPCOMING = "upcoming"
    #: Its day was removed from the history.
    FORGOTTEN = "forgotten"
    #: Nothing says what became of it: a defect.
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, kw_only=True, slots=True)
class TickRecord:
    """What the ledger needs to know of an instance that a trigger made."""

    instance_id: int
    scheduled_for: datetime
    created_at: datetime
    outcome: str | None = None
    reason: str = ""
    message: str = ""
    missed_since: datetime | None = None

    @property
    def skipped(self) -> bool:
        """Whether it ended without having run."""
        return self.outcome == InstanceState.SKIPPED

    def stands_for(self, tick: datetime) -> bool:
        """Whether ``tick`` is among the missed ones that this instance took together."""
        return self.missed_since is not None and self.missed_since <= tick <= self.scheduled_for


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockState:
    """The task's clock as it stands, and the moment at which it was read."""

    now: datetime
    enabled: bool
    next_run_at: datetime | None
    held_at: datetime | None
    planned_from: datetime
    dirty: bool

    def has_yet_to_decide(self, tick: datetime) -> bool:
        """Whether ``tick`` still lies before the clock."""
        shown = self.next_run_at if self.enabled else self.held_at
        if shown is not None and tick == shown:
            return True
        if tick <= self.planned_from:
            return False
        if self.dirty or (not self.enabled and shown is None):
            return True
        return shown is not None and tick > shown


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry:
    """One tick, in UTC, and what became of it."""

    at: datetime
    state: TickState
    #: The instance of the tick itself, or the one that stands for it; None when there is neither.
    instance_id: int | None = None
    #: How long after its moment the instance was made; only for ticks with an instance of their own.
    lateness: timedelta | None = None
    reason: str = ""
    #: An English template with its values, or the finished sentence of the row that it was taken from.
    message: str = ""
    params: Mapping[str, object] = field(default_factory=dict)


def explain(
    ticks: Iterable[tuple[datetime, int]],
    *,
    periods: Sequence[Period],
    records: Sequence[TickRecord],
    clock: ClockState,
    forgotten: Iterable[object] = (),
) -> list[LedgerEntry]:
    """Return an entry for each tick, and one for each record in their span that no tick accounts for.

    ``records`` are in order of their moments and reach at least up to the first one after the last tick.
    ``forgotten`` are the UTC dates that the history does not hold any more.
    """
    ticks = list(ticks)
    own = {record.scheduled_for: record for record in records}
    covers = sorted((each for each in records if each.missed_since is not None), key=lambda each: each.scheduled_for)
    ends = [each.scheduled_for for each in covers]
    gone = set(forgotten)
    entries = []
    for tick, index in ticks:
        if (record := own.get(tick)) is not None:
            entries.append(_of_record(record))
            continue
        place = find_change(tick, index, periods)
        change = None if place is None else periods[place]
        # Where an edit carried an old tick along, the instance of that one spans what the edit passed over.
        cover = next(
            (
                each
                for each in islice(covers, bisect_left(ends, tick), None)
                if each.stands_for(tick) and (each.reason in PASSED_OVER) is (change is not None)
            ),
            None,
        )
        if cover is not None:
            entries.append(_covered(tick, cover))
        else:
            entries.append(_without_record(tick, change, clock, gone))
    planned = {tick for tick, _ in ticks}
    entries += [_of_record(record) for record in records if record.scheduled_for not in planned]
    return sorted(entries, key=lambda entry: entry.at)


def _of_record(record: TickRecord) -> LedgerEntry:
    lateness = max(record.created_at - record.scheduled_for, timedelta(0))
    made = TickState.LATE if lateness > LATE_AFTER else TickState.RAN
    return LedgerEntry(
        at=record.scheduled_for,
        state=TickState.SKIPPED if record.skipped else made,
        instance_id=record.instance_id,
        lateness=lateness,
        reason=record.reason,
        message=record.message,
    )


def _covered(tick: datetime, cover: TickRecord) -> LedgerEntry:
    if cover.skipped and cover.reason in (Reason.MISFIRE, Reason.CALENDAR, *PASSED_OVER):
        return LedgerEntry(
            at=tick,
            state=TickState.SKIPPED,
            instance_id=cover.instance_id,
            reason=cover.reason,
            message=cover.message,
        )
    return LedgerEntry(
        at=tick,
        state=TickState.COALESCED,
        instance_id=cover.instance_id,
        message=gettext_noop("Missed; instance %(id)s stands for it."),
        params={"id": f"#{cover.instance_id}"},
    )


def _without_record(tick: datetime, change: Period | None, clock: ClockState, gone: set[object]) -> LedgerEntry:
    if change is not None and change.to_record:
        message = gettext_noop("The schedule was changed since; a scheduler is about to record this tick as skipped.")
        return LedgerEntry(at=tick, state=TickState.DUE, message=message)
    if change is None and clock.has_yet_to_decide(tick):
        if not clock.enabled:
            message = gettext_noop("The task is paused; what it misses is decided when it goes on.")
            return LedgerEntry(at=tick, state=TickState.PAUSED, message=message)
        if tick > clock.now:
            return LedgerEntry(at=tick, state=TickState.UPCOMING)
        return LedgerEntry(at=tick, state=TickState.DUE, message=gettext_noop("No scheduler has taken it up yet."))
    if tick.date() in gone:
        message = gettext_noop("The history of this day is not kept any more.")
        return LedgerEntry(at=tick, state=TickState.FORGOTTEN, message=message)
    return LedgerEntry(
        at=tick,
        state=TickState.UNEXPLAINED,
        message=gettext_noop("Nothing says what became of this tick. Please report it: this is a defect."),
    )
