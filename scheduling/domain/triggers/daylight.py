"""What a change of a zone's clock has to do with single fires: for people who look ahead, not for firing.

`scheduling.domain.triggers.cron` decides when a task fires; this module says of a fire why it is where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduling.domain.policies import TriggerKind
from scheduling.domain.triggers.base import in_utc
from scheduling.domain.triggers.cron import DstGap
from scheduling.domain.triggers.cron_expression import ParsedCron, parse_cron
from scheduling.domain.triggers.registry import TriggerSpec
from scheduling.domain.triggers.zone import OffsetChange, find_zone

_SECOND = timedelta(seconds=1)
# Further than any offset and any gap together.
_REACH = timedelta(days=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockEffect:
    """What the change of the clock on a fire's local day does to it. Local times are naive."""

    before: timedelta
    after: timedelta
    #: The local time that does not exist on that day and that this fire stands for.
    moved_from: datetime | None = None
    #: 1 or 2 when the fire's local time comes twice: in which of the two passes it lies.
    passage: int | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A local time (naive) that the expression names, that does not exist, and that the policy skips."""

    local: datetime


class Daylight:
    """Answers for one specification of a trigger, whose zone and expression must be sound (`build_trigger`)."""

    def __init__(self, spec: TriggerSpec) -> None:
        self._zone = find_zone(spec.timezone)
        self._gap = spec.dst_gap
        self._fixed: ParsedCron | None = None
        if spec.kind == TriggerKind.CRON:
            parsed = parse_cron(spec.cron_expression, spec.hash_id)
            # Any other expression follows elapsed time: no policy moves its fires.
            self._fixed = parsed if parsed.fixed_clock else None

    def effect_on(self, fire: datetime) -> ClockEffect | None:
        """Return what a change on the local day of ``fire`` does to it; None on a day without a change."""
        at = in_utc(fire).replace(tzinfo=None)
        local = at + self._zone.offset_at(at)
        for change in self._changes(at - _REACH, at + _REACH):
            days = {(change.at + change.after).date(), (change.at - _SECOND + change.before).date()}
            if local.date() not in days:
                continue
            passage = None
            if change.is_fold and change.at + change.after <= local < change.at + change.before:
                passage = 1 if at < change.at else 2
            return ClockEffect(
                before=change.before,
                after=change.after,
                moved_from=self._moved_from(change, at),
                passage=passage,
            )
        return None

    def left_out(self, after: datetime, until: datetime, *, limit: int) -> list[LeftOut]:
        """Return the first ``limit`` local times that fall into gaps in (``after``, ``until``] and are skipped."""
        found: list[LeftOut] = []
        if self._fixed is None or self._gap != DstGap.SKIP:
            return found
        start, end = (in_utc(moment).replace(tzinfo=None) for moment in (after, until))
        for change in self._changes(start, end):
            if change.is_gap:
                found += [LeftOut(local) for local in self._named_in(change)][: limit - len(found)]
            if len(found) >= limit:
                break
        return found

    def _moved_from(self, change: OffsetChange, at: datetime) -> datetime | None:
        if self._fixed is None or not change.is_gap:
            return None
        if self._gap == DstGap.RUN_AFTER_GAP and at == change.at:
            return next(self._named_in(change), None)
        if self._gap == DstGap.SHIFT and at + change.before < change.at + change.after:
            nominal = at + change.before
            return nominal if nominal in self._named_in(change) else None
        return None

    def _named_in(self, gap: OffsetChange) -> Iterator[datetime]:
        """Yield the local times in ``gap`` that the expression names."""
        assert self._fixed is not None  # noqa: S101 - the callers have looked
        local = self._fixed.times.next_local(gap.at + gap.before - _SECOND)
        while local is not None and local < gap.at + gap.after:
            yield local
            local = self._fixed.times.next_local(local)

    def _changes(self, after: datetime, until: datetime) -> Iterator[OffsetChange]:
        change = self._zone.first_change(after, until)
        while change is not None:
            yield change
            change = self._zone.first_change(change.at, until)
