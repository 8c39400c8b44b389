"""Time zones as the spans of constant offset between their changes.

Python's ``zoneinfo`` (PEP 615) answers for single moments and keeps its table of changes to itself. The
changes are therefore found by asking: one question a day, then halving the day in which the answer changed.
In the IANA database two changes of one zone are never less than three days apart.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scheduling.domain.errors import InvalidField, gettext_noop

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)

#: They mean something else on each machine (``localtime``), or count leap seconds (``right/``).
_NOT_PORTABLE = ("posix/", "right/", "localtime", "posixrules", "Factory")


class OffsetChange(NamedTuple):
    """The instant ``at`` (UTC, naive) from which on the offset is ``after`` instead of ``before``.

    It does not matter whether daylight saving is the reason: only the offset moves the wall clock.
    """

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def is_gap(self) -> bool:
        """Whether local times are left out here."""
        return self.after > self.before

    @property
    def is_fold(self) -> bool:
        """Whether local times come a second time here."""
        return self.after < self.before


class Zone:
    """One IANA time zone. All datetimes in and out are naive and mean UTC."""

    def __init__(self, name: str) -> None:
        self._info = ZoneInfo(name)
        self._changes_by_year: dict[int, tuple[OffsetChange, ...]] = {}

    def offset_at(self, instant: datetime) -> timedelta:
        """Return local time minus UTC at ``instant``."""
        offset = instant.replace(tzinfo=UTC).astimezone(self._info).utcoffset()
        return timedelta(0) if offset is None else offset

    def first_change(self, after: datetime, until: datetime) -> OffsetChange | None:
        """Return the first change later than ``after`` and not later than ``until``."""
        for year in range(after.year, until.year + 1):
            for change in self._changes_in(year):
                if change.at > until:
                    return None
                if change.at > after:
                    return change
        return None

    def last_change(self, after: datetime, until: datetime) -> OffsetChange | None:
        """Return the last change later than ``after`` and not later than ``until``."""
        for year in range(until.year, after.year - 1, -1):
            for change in reversed(self._changes_in(year)):
                if change.at <= after:
                    return None
                if change.at <= until:
                    return change
        return None

    def _changes_in(self, year: int) -> tuple[OffsetChange, ...]:
        changes = self._changes_by_year.get(year)
        if changes is None:
            # Two threads may both do this; they store the same.
            changes = self._changes_by_year[year] = tuple(self._find_changes(year))
        return changes

    def _find_changes(self, year: int) -> list[OffsetChange]:
        changes = []
        # A change belongs to the year in which its own instant lies, hence a second earlier on both ends.
        day, end = datetime(year, 1, 1) - _SECOND, datetime(year + 1, 1, 1) - _SECOND  # noqa: DTZ001 - UTC, naive
        before = self.offset_at(day)
        while day < end:
            next_day = min(day + _DAY, end)
            after = self.offset_at(next_day)
            if after != before:
                changes.append(OffsetChange(self._instant_of_change(day, next_day, after), before, after))
            day, before = next_day, after
        return changes

    def _instant_of_change(self, low: datetime, high: datetime, after: timedelta) -> datetime:
        while high - low > _SECOND:
            middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
            if self.offset_at(middle) == after:
                high = middle
            else:
                low = middle
        return high


@lru_cache(maxsize=1024)
def find_zone(name: str) -> Zone:
    """Return the zone of that IANA name, such as ``Europe/Berlin``.

    Raises InvalidField for ``timezone`` when the installed database does not know the name, or when the name
    does not mean the same on every machine.
    """
    unknown = InvalidField(
        "timezone",
        gettext_noop("“%(name)s” is not a known time zone. Use an IANA name such as Europe/Berlin."),
        {"name": name},
    )
    if name.startswith(_NOT_PORTABLE):
        raise unknown
    try:
        return Zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # A folder of the database, such as "Europe", is an OSError; "../x" and NUL are ValueErrors.
        raise unknown from error
