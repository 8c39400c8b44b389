"""The trigger that follows a cron expression on the wall clock of a time zone.

The expression names local times; this module says which instants they are. Between two changes of the zone's
offset that is a subtraction. At a change there are two kinds of expression:

* one with fixed times on the clock (neither ``*`` nor a step in the minute and hour fields) is looked up once
  for each local time: a time that the clock leaves out follows ``DstGap``, one that comes twice ``DstFold``;
* any other means "every so often": it fires at each instant at which the wall clock shows a named time, so in
  both passes of a repeated hour and never for an hour that is left out.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from scheduling.domain.triggers.base import in_utc
from scheduling.domain.triggers.cron_expression import FIRST_YEAR, LAST_YEAR, parse_cron, uses_hash
from scheduling.domain.triggers.zone import OffsetChange, find_zone


class DstGap(StrEnum):
    """What becomes of a local time that does not exist. The first member is the default."""

    #: It runs at the first instant after the gap.
    RUN_AFTER_GAP = "run_after_gap"
    #: It does not run.
    SKIP = "skip"
    #: It runs moved forward by the length of the gap.
    SHIFT = "shift"


class DstFold(StrEnum):
    """When a local time that exists twice runs. The first member is the default."""

    FIRST = "first"
    SECOND = "second"
    BOTH = "both"


_SECOND = timedelta(seconds=1)
# Further than any offset and any gap or fold together (26 and 24 hours), and less than the distance of two
# changes of one zone.
_REACH = timedelta(days=3)
# How far ahead one step of the search looks around a change.
_WINDOW = timedelta(days=10)
_EARLIEST = datetime(FIRST_YEAR, 1, 1)  # noqa: DTZ001 - UTC, naive
_LATEST = datetime(LAST_YEAR, 12, 1)  # noqa: DTZ001 - UTC, naive


class CronTrigger:
    """Fires at the instants of a cron expression in a zone, between 1970 and 2199.

    Inside, instants are naive datetimes that mean UTC, and whole seconds: cron knows nothing finer.
    """

    def __init__(
        self,
        expression: str,
        timezone: str = "UTC",
        dst_gap: DstGap = DstGap.RUN_AFTER_GAP,
        dst_fold: DstFold = DstFold.FIRST,
        hash_id: str = "",
    ) -> None:
        parsed = parse_cron(expression, hash_id)
        self._times = parsed.times
        self._fixed_clock = parsed.fixed_clock
        self._zone = find_zone(timezone)
        self._gap = dst_gap
        self._fold = dst_fold

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first fire strictly later than ``moment``; equal questions are computed once."""
        return _remembered_next(self, moment)

    def count_between(self, start: datetime, end: datetime, *, cap: int) -> int:
        """Count the fires in (``start``, ``end``]; below ``cap`` exactly, else at least ``cap``."""
        after, until = max(_naive(start), _EARLIEST), min(_naive(end), _LATEST)
        count = 0
        if self._fixed_clock:
            # Such an expression names few times a day, and policies merge and move them: walk.
            fire = self.find_next(after)
            while count < cap and fire is not None and fire <= until:
                count += 1
                fire = self.find_next(fire)
            return count
        while after < until:
            change = self._zone.first_change(after + _SECOND, until)
            # The instant of the change itself already has the new offset.
            end_of_period = until if change is None else change.at - _SECOND
            offset = self._zone.offset_at(after + _SECOND)
            count += self._times.count_between(after + offset, end_of_period + offset, cap - count)
            after = end_of_period
        return count

    def find_next(self, after: datetime) -> datetime | None:
        """Compute the first fire strictly later than ``after``; both are naive, in UTC, in whole seconds."""
        after = max(after, _EARLIEST)
        if after >= _LATEST:
            return None
        offset = self._zone.offset_at(after)
        local = self._times.next_local(after + offset)
        if local is not None:
            fire = local - offset
            if fire < _LATEST and self._zone.first_change(after - _REACH, fire + _REACH) is None:
                return fire
        return self._find_next_around_changes(after)

    def _find_next_around_changes(self, after: datetime) -> datetime | None:
        """Search one period of constant offset after the other, leaping over spans without any named time."""
        while after < _LATEST:
            # No named local time before this one can belong to an instant later than `after`.
            local = self._times.next_local(after - _REACH)
            if local is None:
                return None
            after = max(after, local - _REACH)
            window_end = after + _WINDOW
            while after + _SECOND < window_end:
                start = after + _SECOND
                opening = self._zone.last_change(start - _REACH, start)
                closing = self._zone.first_change(start, window_end + _REACH)
                end = window_end if closing is None else min(window_end, closing.at)
                fire = self._first_in_period(start, end, opening, closing)
                if fire is not None:
                    return fire if fire < _LATEST else None
                after = end - _SECOND
        return None

    def _first_in_period(
        self, start: datetime, end: datetime, opening: OffsetChange | None, closing: OffsetChange | None
    ) -> datetime | None:
        """Return the first fire from ``start`` on and before ``end``, between which the offset is constant.

        ``opening`` is the change at which that offset began, if it is near enough to matter; ``closing`` is
        the next change, at ``end`` or later.
        """
        offset = self._zone.offset_at(start)
        local_start, local_end = start + offset, end + offset
        moved = None
        if self._fixed_clock:
            if opening is not None and opening.is_fold and self._fold is DstFold.FIRST:
                local_start = max(local_start, opening.at + opening.before)
            if closing is not None and closing.is_fold and self._fold is DstFold.SECOND:
                local_end = min(local_end, closing.at + closing.after)
            if opening is not None and opening.is_gap:
                moved = self._first_moved_out_of(opening, start)
        local = self._times.next_local(local_start - _SECOND)
        fires = [] if local is None or local >= local_end else [local - offset]
        if moved is not None and moved < end:
            fires.append(moved)
        return min(fires, default=None)

    def _first_moved_out_of(self, gap: OffsetChange, start: datetime) -> datetime | None:
        """Return the first instant from ``start`` on to which a local time in the gap is moved by policy."""
        gap_end = gap.at + gap.after
        if self._gap is DstGap.SHIFT:
            # Moved forward by the gap's length is the same as read with the offset from before the gap.
            local = self._times.next_local(start + gap.before - _SECOND)
            return local - gap.before if local is not None and local < gap_end else None
        if self._gap is DstGap.RUN_AFTER_GAP and start <= gap.at:
            local = self._times.next_local(gap.at + gap.before - _SECOND)
            return gap.at if local is not None and local < gap_end else None
        return None


def _naive(moment: datetime) -> datetime:
    return in_utc(moment).replace(tzinfo=None, microsecond=0)


# Bounded, and for all triggers together: a scheduler's tasks share few expressions and few moments.
@lru_cache(maxsize=1 << 16)
def _remembered_next(trigger: CronTrigger, moment: datetime) -> datetime | None:
    fire = trigger.find_next(_naive(moment))
    return None if fire is None else fire.replace(tzinfo=UTC)


@lru_cache(maxsize=1 << 14)
def _shared_trigger(expression: str, timezone: str, dst_gap: DstGap, dst_fold: DstFold, hash_id: str) -> CronTrigger:
    return CronTrigger(expression, timezone, dst_gap, dst_fold, hash_id)


def cron_trigger(expression: str, timezone: str, dst_gap: DstGap, dst_fold: DstFold, hash_id: str) -> CronTrigger:
    """Return the trigger for these values: the same object each time, so that its fires are computed once.

    Tasks whose expression has no ``H`` share it whatever their ids. Raises InvalidField for
    ``cron_expression`` or ``timezone``.
    """
    return _shared_trigger(expression, timezone, dst_gap, dst_fold, hash_id if uses_hash(expression) else "")
