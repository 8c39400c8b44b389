"""Daylight saving by definition, minute by minute: what the cron trigger is compared with.

Nothing here knows the code under test. The wall clock is read off ``zoneinfo`` for each minute, and the rules
are applied to that list as they are written in the documentation.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class ClockChange(NamedTuple):
    """A minute at which a zone's offset changes."""

    zone: str
    at: datetime
    before: timedelta
    after: timedelta


def offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    found = instant.astimezone(zone).utcoffset()
    assert found is not None
    return found


def clock_changes(name: str, first_year: int, last_year: int) -> Iterator[ClockChange]:
    """Find the changes of a zone: one look a day, then minute by minute."""
    zone = ZoneInfo(name)
    day = datetime(first_year, 1, 1, tzinfo=UTC)
    while day.year <= last_year:
        if offset(zone, day) != offset(zone, day + DAY):
            at = day
            while offset(zone, at) == offset(zone, at + MINUTE):
                at += MINUTE
            yield ClockChange(name, at + MINUTE, offset(zone, at), offset(zone, at + MINUTE))
        day += DAY


class WallClock:
    """What the wall clock of a zone shows in each minute around a change."""

    def __init__(self, change: ClockChange) -> None:
        self._change = change
        zone = ZoneInfo(change.zone)
        jump = abs(change.after - change.before)
        self.start, self.end = change.at - jump - 3 * 60 * MINUTE, change.at + jump + 3 * 60 * MINUTE
        # Local times just outside of the span matter where policies move them into it.
        margin = jump + 60 * MINUTE
        instant = self.start - margin
        self._shown: list[tuple[datetime, datetime]] = []
        while instant <= self.end + margin:
            self._shown.append((instant, instant.astimezone(zone).replace(tzinfo=None)))
            instant += MINUTE
        self._instants_of: defaultdict[datetime, list[datetime]] = defaultdict(list)
        for instant, local in self._shown:
            self._instants_of[local].append(instant)

    def fires_by_elapsed_time(self, minutes: set[int], hours: set[int]) -> list[datetime]:
        """Every instant at which the clock shows a matching time."""
        fires = (at for at, local in self._shown if local.minute in minutes and local.hour in hours)
        return [at for at in fires if self.start < at <= self.end]

    def local_times(self, minutes: set[int], hours: set[int]) -> list[datetime]:
        """Every matching local time of the span, whether the clock shows it or not."""
        shown = [local for _, local in self._shown]
        span = range((max(shown) - min(shown)) // MINUTE + 1)
        first = min(shown)
        locals_ = (first + number * MINUTE for number in span)
        return [local for local in locals_ if local.minute in minutes and local.hour in hours]

    def fires_by_the_clock(self, local_times: list[datetime], gap: str, fold: str) -> list[datetime]:
        """Each local time looked up once, with the policies."""
        fires = {at for local in local_times for at in self._look_up(local, gap, fold)}
        return sorted(at for at in fires if self.start < at <= self.end)

    def _look_up(self, local: datetime, gap: str, fold: str) -> list[datetime]:
        instants = self._instants_of.get(local, [])
        if len(instants) == 2:
            return {"first": instants[:1], "second": instants[1:], "both": instants}[fold]
        if instants or gap == "skip":
            return instants
        if gap == "run_after_gap":
            return [next(at for at, shown in self._shown if shown > local)]
        return self._instants_of[local + (self._change.after - self._change.before)]
