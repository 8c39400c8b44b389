"""The ledger of one task: every tick of a period with what became of it, as people's interfaces read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduling.db import callers_connection
from scheduling.domain.errors import InvalidField
from scheduling.domain.ledger import ClockState, LedgerEntry, TickRecord, TickState, explain
from scheduling.domain.moments import check_moment
from scheduling.domain.periods import Period, ticks_of
from scheduling.domain.states import PASSED_OVER, Origin
from scheduling.domain.task_trigger import trigger_of_stored
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.models import SchedulePeriod, Task, TaskInstance, TaskRevision
from scheduling.stored_sentences import retold

#: The most ticks of one answer; the next one goes on where it ended.
MOST_TICKS = 1000

#: The most changes of a schedule that one answer looks at.
_MOST_PERIODS = 1000

#: The most instances that one answer shows beside those of the ticks, which are backfills of theirs.
_MOST_BACKFILLED = 5 * MOST_TICKS

TICK_STATE_LABELS = {
    TickState.RAN: gettext_lazy("ran"),
    TickState.LATE: gettext_lazy("late"),
    TickState.COALESCED: gettext_lazy("coalesced"),
    TickState.SKIPPED: gettext_lazy("skipped"),
    TickState.DUE: gettext_lazy("due"),
    TickState.PAUSED: gettext_lazy("paused"),
    TickState.UPCOMING: gettext_lazy("upcoming"),
    TickState.FORGOTTEN: gettext_lazy("forgotten"),
    TickState.UNEXPLAINED: gettext_lazy("unexplained"),
}

_CLOCK = """
SELECT clock_timestamp(), t.enabled, k.next_run_at, k.held_at, k.planned_from, k.dirty
FROM rota_task t JOIN rota_task_clock k ON k.task_id = t.id WHERE t.id = %s
"""

_MISSING_DAYS = """
SELECT d FROM unnest(%s::date[]) AS d WHERE to_regclass('rota_instance_p' || to_char(d, 'YYYYMMDD')) IS NULL
"""


@dataclass(kw_only=True)
class LedgerLine:
    """One tick as it is shown."""

    entry: LedgerEntry
    #: Its own instance, or the one that stands for it.
    instance: TaskInstance | None = None
    #: Instances that backfills made for the tick.
    backfilled: list[TaskInstance] = field(default_factory=list)

    @property
    def message(self) -> str:
        """The sentence for people, in their language where the sentence is ours."""
        if self.entry.params:
            return _(self.entry.message) % self.entry.params
        if self.instance is not None and self.instance.scheduled_for == self.entry.at:
            return self.instance.full_message
        return retold(self.entry.message)


@dataclass(kw_only=True)
class Ledger:
    """The ticks of one task in [`from_at`, `until_at`], oldest first."""

    from_at: datetime
    until_at: datetime
    lines: list[LedgerLine]
    #: Where to go on when the period holds more ticks than one answer; None when it is complete.
    next_from: datetime | None = None

    @property
    def counts(self) -> dict[TickState, int]:
        """How many ticks of this answer are in each state, the states in their own order; none is left out."""
        counts = dict.fromkeys(TickState, 0)
        for line in self.lines:
            counts[line.entry.state] += 1
        return counts

    @property
    def unexplained(self) -> int:
        """How many ticks nothing accounts for; anything but zero is a defect."""
        return self.counts[TickState.UNEXPLAINED]

    @property
    def note(self) -> str:
        """A sentence when the answer is not complete."""
        if self.next_from is None:
            return ""
        return _("The period has more than %(most)d ticks; this is up to the last one shown.") % {"most": MOST_TICKS}


def read_ledger(task: Task, *, from_at: datetime, until_at: datetime, most: int = MOST_TICKS) -> Ledger:
    """Return what became of each tick of ``task`` from ``from_at`` to ``until_at``, both included.

    A handful of queries, however long the period: none of them reads days outside of it, save the first few
    instances after its end. The caller has checked that the reader may see the task. Raises ValidationError by
    field for a range backwards, without zones or beyond what `check_moment` lets pass.
    """
    for name, moment in (("from", from_at), ("until", until_at)):
        try:
            check_moment(name, moment)
        except InvalidField as error:
            raise ValidationError({name: _(error.message) % error.params}) from error
    if until_at < from_at:
        raise ValidationError({"until": _("The range ends before it begins.")})
    from_at, end = from_at.astimezone(UTC), until_at.astimezone(UTC)
    # The clock first: what it has passed when it is read has an instance when the instances are read.
    clock = _read_clock(task.pk)
    periods, end = _read_periods(task.pk, from_at, end)
    ticks = ticks_of(periods, start=from_at, end=end, limit=most + 1)
    if len(ticks) > most:
        ticks = ticks[:most]
        end = ticks[-1][0]
    instances = list(_instances(task).filter(scheduled_for__range=(from_at, end), fire_key="")[: most + 1])
    if len(instances) > most:
        instances = instances[:most]
        end = instances[-1].scheduled_for
        ticks = [each for each in ticks if each[0] <= end]
    # Whatever stands for a tick of the period and lies after it is the next one that the trigger made.
    following = _following(task, end) if ticks else []
    found = {each.pk: each for each in [*instances, *following]}
    entries = explain(
        ticks,
        periods=periods,
        records=[_record(each) for each in found.values()],
        clock=clock,
        forgotten=_missing_days(ticks),
    )
    backfilled = _backfilled(task, from_at, end)
    lines = [
        LedgerLine(
            entry=entry,
            instance=found.get(entry.instance_id or 0),
            backfilled=backfilled.get(entry.at, []),
        )
        for entry in entries
        if entry.at <= end
    ]
    complete = end >= until_at
    return Ledger(
        from_at=from_at,
        until_at=until_at if complete else end,
        lines=lines,
        next_from=None if complete else end + INSTANT,
    )


def _read_clock(task_id: int) -> ClockState:
    with callers_connection().cursor() as cursor:
        row = cursor.execute(_CLOCK, [task_id]).fetchone()
    if row is None:
        raise ValidationError(_("The task was deleted meanwhile."))
    now, enabled, next_run_at, held_at, planned_from, dirty = row
    return ClockState(
        now=now, enabled=enabled, next_run_at=next_run_at, held_at=held_at, planned_from=planned_from, dirty=dirty
    )


def _read_periods(task_id: int, start: datetime, end: datetime) -> tuple[list[Period], datetime]:
    """Return the periods that have a part in the range, and the moment up to which the answer is complete."""
    mine = SchedulePeriod.objects.filter(task=task_id).order_by("id")
    first = mine.filter(took_over_at__lt=start).order_by("-id").values_list("id", flat=True).first()
    rows = list(mine.filter(id__gte=first or 0)[: _MOST_PERIODS + 1])
    if len(rows) > _MOST_PERIODS:
        # The last one is cut off, and with it what it may say about ticks of the one before.
        rows.pop()
        end = min(end, max(rows[-1].begins_at, start))
    versions = {row.version for row in rows}
    definitions: dict[int, Mapping[str, Any]] = dict(
        TaskRevision.objects.filter(task=task_id, version__in=versions).values_list("version", "definition")
    )
    triggers = {version: trigger_of_stored(task_id, definition) for version, definition in definitions.items()}
    periods = [
        Period(
            begins_at=row.begins_at,
            took_over_at=row.took_over_at,
            enabled=row.enabled,
            trigger=triggers.get(row.version),
            undecided_after=row.undecided_after,
            to_record=row.to_record,
        )
        for row in rows
    ]
    return periods, end


def _instances(task: Task) -> Any:
    return (
        TaskInstance.objects.with_entry()
        .filter(task=task.pk, origin=Origin.SCHEDULE.value)
        .defer("params")
        .order_by("scheduled_for")
    )


def _following(task: Task, end: datetime) -> list[TaskInstance]:
    later = _instances(task).filter(scheduled_for__gt=end, fire_key="")
    # What a tick that edits carried along became comes after all that those edits passed over.
    return [*later[:2], *later.exclude(reason__in=PASSED_OVER)[:2]]


def _record(instance: TaskInstance) -> TickRecord:
    return TickRecord(
        instance_id=instance.pk,
        scheduled_for=instance.scheduled_for,
        created_at=instance.created_at,
        outcome=instance.outcome,
        reason=instance.reason,
        message=instance.message,
        missed_since=instance.missed_since,
    )


def _backfilled(task: Task, start: datetime, end: datetime) -> dict[datetime, list[TaskInstance]]:
    by_tick: dict[datetime, list[TaskInstance]] = {}
    rows = TaskInstance.objects.with_entry().filter(
        task=task.pk, scheduled_for__range=(start, end), origin=Origin.BACKFILL.value
    )
    for instance in rows.defer("params").order_by("-id")[:_MOST_BACKFILLED]:
        by_tick.setdefault(instance.scheduled_for, []).append(instance)
    return by_tick


def _missing_days(ticks: Sequence[tuple[datetime, int]]) -> list[date]:
    """Return the days among those of ``ticks`` that have no partition (any more)."""
    if not ticks:
        return []
    first, last = ticks[0][0].date(), ticks[-1][0].date()
    days = (
        sorted({tick.date() for tick, _ in ticks})
        if (last - first).days > len(ticks)
        else [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    )
    with callers_connection().cursor() as cursor:
        return [row[0] for row in cursor.execute(_MISSING_DAYS, [days]).fetchall()]
