"""Spans: the stretches of time that charts show, cut into slots on somebody's wall clock."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

_HOUR = timedelta(hours=1)


class Span(StrEnum):
    """How far back a chart reaches."""

    #: By hour; the present hour is the last.
    DAY = "24h"
    #: By day; today is the last.
    WEEK = "7d"
    MONTH = "30d"


_DAYS = {Span.WEEK: 7, Span.MONTH: 30}


@dataclass(frozen=True, slots=True)
class Slots:
    """Moments in UTC, each beginning a slot that ends where the next begins, and the end of the last."""

    edges: tuple[datetime, ...]

    @property
    def begins_at(self) -> datetime:
        """The first moment."""
        return self.edges[0]

    @property
    def ends_at(self) -> datetime:
        """The first moment after the last slot."""
        return self.edges[-1]

    def __len__(self) -> int:
        return len(self.edges) - 1

    def index(self, moment: datetime) -> int | None:
        """Return which slot ``moment`` lies in; None for none."""
        place = bisect_right(self.edges, moment) - 1
        return place if 0 <= place < len(self) else None


def slots_of(span: Span, *, now: datetime, zone: tzinfo) -> Slots:
    """Cut ``span`` up to ``now`` into hours, or into days of ``zone``.

    Statistics are kept by hours of UTC. Where midnight lies within such an hour, the day begins with the next one.
    """
    if span is Span.DAY:
        last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return Slots(tuple(last - _HOUR * (23 - number) for number in range(25)))
    today = now.astimezone(zone).date()
    count = _DAYS[span]
    return Slots(tuple(_midnight(today - timedelta(days=count - 1 - number), zone) for number in range(count + 1)))


def _midnight(day: date, zone: tzinfo) -> datetime:
    moment = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole if whole == moment else whole + _HOUR
