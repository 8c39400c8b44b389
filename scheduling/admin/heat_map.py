"""A heat map of hours: a column for each day and a row for each hour of the wall clock."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

HOUR = timedelta(hours=1)

#: How many shades there are beside that of nothing.
SHADES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One hour of the wall clock; two of UTC where the clock is set back, and none where it is set forward."""

    hours: tuple[datetime, ...]
    count: int
    failed: int
    #: From 0 for nothing to `SHADES`.
    shade: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HeatMap:
    """Days as columns; each row has a cell for each day, or None for an hour outside."""

    days: Sequence[date]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]
    #: Shade, least and most: what the shades stand for.
    legend: Sequence[tuple[int, int, int]]
    total: int


def hours_between(since: datetime, until: datetime) -> Sequence[datetime]:
    """Return the beginnings of the full hours of UTC from ``since`` to before ``until``."""
    first = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return [first + number * HOUR for number in range((until - first) // HOUR)]


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return the first full hour of UTC that begins in ``day`` of ``zone``, as in `scheduling.domain.spans`."""
    begins = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    hour = begins.replace(minute=0, second=0, microsecond=0)
    return hour if hour == begins else hour + HOUR


def heat_map(
    hours: Iterable[datetime],
    counts: Mapping[datetime, int],
    zone: tzinfo,
    *,
    failed: Mapping[datetime, int] | None = None,
) -> HeatMap:
    """Return the map of ``hours`` (of UTC) with ``counts``, and how many of those ``failed``, as seen in ``zone``."""
    places: dict[tuple[str, date], list[datetime]] = {}
    for hour in hours:
        local = hour.astimezone(zone)
        places.setdefault((f"{local:%H:%M}", local.date()), []).append(hour)
    sums = {place: sum(counts.get(hour, 0) for hour in each) for place, each in places.items()}
    highest = max(sums.values(), default=0)
    # Numbers that are all large are told from one another, too, but not as if a few percent were a great deal.
    lowest = max(1, min([highest // SHADES, *filter(None, sums.values())]))
    steps = _steps(lowest, highest)
    days = sorted({day for _time, day in places})
    cells = {
        place: Cell(
            hours=tuple(each),
            count=sums[place],
            failed=sum((failed or {}).get(hour, 0) for hour in each),
            shade=_shade(sums[place], steps),
        )
        for place, each in places.items()
    }
    times = sorted({time for time, _day in places})
    return HeatMap(
        days=days,
        rows=[(time, [cells.get((time, day)) for day in days]) for time in times],
        legend=[
            (_shade(most, steps), least + 1, most) for least, most in zip([lowest - 1, *steps], steps, strict=False)
        ],
        total=sum(sums.values()),
    )


def _steps(lowest: int, highest: int) -> list[int]:
    """Return the most that each shade stands for; each stands for about as many times more than the one before."""
    times = highest / lowest
    return sorted({max(lowest, round(lowest * times ** (number / SHADES))) for number in range(1, SHADES + 1)})


def _shade(count: int, steps: Sequence[int]) -> int:
    if not count:
        return 0
    # The last step always has the last shade, however few steps there are.
    return SHADES - (len(steps) - 1 - bisect_left(steps, count))
