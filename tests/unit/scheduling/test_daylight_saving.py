"""Cron triggers where the clock is changed: a table to read, and every change against the definition."""

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import product
from zoneinfo import available_timezones

import pytest

from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.registry import TriggerSpec, build_trigger, next_fires
from tests.unit.scheduling.wall_clock import ClockChange, WallClock, clock_changes

pytestmark = pytest.mark.unit

GAP_POLICIES = ("run_after_gap", "skip", "shift")
FOLD_POLICIES = ("first", "second", "both")

#: Text, minutes, hours: times fixed on the clock.
FIXED_CLOCK: list[tuple[str, set[int], set[int]]] = [
    ("0,10,45 0-23 * * *", {0, 10, 45}, set(range(24))),
    ("30 0,2 * * *", {30}, {0, 2}),
    ("0 0 * * *", {0}, {0}),
    ("59 1,23 * * *", {59}, {1, 23}),
]
#: Text, minutes, hours: a ``*`` or a step in the minute or hour field.
EVERY_SO_OFTEN: list[tuple[str, set[int], set[int]]] = [
    ("*/20 * * * *", {0, 20, 40}, set(range(24))),
    ("15 */2 * * *", {15}, set(range(0, 24, 2))),
    ("* 2 * * *", set(range(60)), {2}),
]
#: Half an hour of daylight saving, a skipped day, midnights that do not exist, negative daylight saving,
#: changes of the standard offset, two hours at once, a month of winter time in Ramadan, a quarter to three.
ODD_ZONES = (
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "America/Havana",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Europe/Dublin",
    "Asia/Pyongyang",
    "America/Caracas",
    "Europe/Istanbul",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "Asia/Gaza",
    "Atlantic/Azores",
)


def cron(expression: str, zone: str, gap: str = "run_after_gap", fold: str = "first") -> Trigger:
    return build_trigger(
        TriggerSpec(kind="cron", cron_expression=expression, timezone=zone, dst_gap=gap, dst_fold=fold)
    )


def walk(trigger: Trigger, start: datetime, end: datetime) -> list[datetime]:
    """Return the fires in (start, end] by asking for one after the other."""
    fires = []
    fire = trigger.next_after(start)
    while fire is not None and fire <= end:
        fires.append(fire)
        fire = trigger.next_after(fire)
    return fires


def assert_follows_the_definition(change: ClockChange) -> None:
    clock = WallClock(change)
    for text, minutes, hours in FIXED_CLOCK:
        local_times = clock.local_times(minutes, hours)
        for gap, fold in product(GAP_POLICIES, FOLD_POLICIES):
            trigger = cron(text, change.zone, gap, fold)
            expected = clock.fires_by_the_clock(local_times, gap, fold)
            assert walk(trigger, clock.start, clock.end) == expected, (text, change, gap, fold)
        assert trigger.count_between(clock.start, clock.end, cap=10**6) == len(expected)
    for text, minutes, hours in EVERY_SO_OFTEN:
        trigger = cron(text, change.zone)
        expected = clock.fires_by_elapsed_time(minutes, hours)
        assert walk(trigger, clock.start, clock.end) == expected, (text, change)
        assert trigger.count_between(clock.start, clock.end, cap=10**6) == len(expected), (text, change)


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_every_change_of_an_odd_zone_follows_the_definition(zone: str) -> None:
    changes = list(clock_changes(zone, 1993, 2018))
    assert changes
    for change in changes:
        assert_follows_the_definition(change)


@lru_cache(maxsize=1)
def shapes_of_the_world() -> list[ClockChange]:
    """One change for each different jump at a different time of day, of all zones."""
    shapes: dict[tuple[timedelta, timedelta, time], ClockChange] = {}
    for zone in sorted(available_timezones()):
        if "/" in zone and not zone.startswith("Etc/"):
            for change in clock_changes(zone, 2024, 2025):
                shapes.setdefault((change.before, change.after, change.at.time()), change)
    return list(shapes.values())


def test_every_kind_of_change_that_is_in_use_follows_the_definition() -> None:
    changes = shapes_of_the_world()
    assert len(changes) > 30
    for change in changes:
        assert_follows_the_definition(change)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


@pytest.mark.parametrize(
    ("zone", "expression", "gap", "fold", "after", "expected"),
    [
        # Berlin, 29 March 2026: 02:00 +01:00 becomes 03:00 +02:00 at 01:00 UTC.
        (BERLIN, "30 2 * * *", "run_after_gap", "first", "2026-03-28T12:00",
         ["2026-03-29T01:00", "2026-03-30T00:30"]),
        (BERLIN, "30 2 * * *", "skip", "first", "2026-03-28T12:00", ["2026-03-30T00:30", "2026-03-31T00:30"]),
        (BERLIN, "30 2 * * *", "shift", "first", "2026-03-28T12:00",
         ["2026-03-29T01:30", "2026-03-30T00:30"]),
        # Two local times in the gap, and one at its end, are one fire.
        (BERLIN, "0,30 2,3 * * *", "run_after_gap", "first", "2026-03-28T12:00",
         ["2026-03-29T01:00", "2026-03-29T01:30", "2026-03-30T00:00"]),
        # Shifted among the local times that exist: neither order nor number is lost.
        (BERLIN, "10 2,3 * * *", "shift", "first", "2026-03-28T12:00",
         ["2026-03-29T01:10", "2026-03-30T00:10"]),
        # Fixed to the second as well: each second of the minute is in the gap, and they all are one fire.
        (BERLIN, "*/20 30 2 * * *", "run_after_gap", "first", "2026-03-28T12:00",
         ["2026-03-29T01:00", "2026-03-30T00:30", "2026-03-30T00:30:20"]),
        # Every so often: nothing in the gap, and none made up for.
        (BERLIN, "*/30 2 * * *", "run_after_gap", "first", "2026-03-28T12:00", ["2026-03-30T00:00"]),
        (BERLIN, "*/30 * * * *", "run_after_gap", "first", "2026-03-29T00:15",
         ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"]),
        # Berlin, 25 October 2026: 03:00 +02:00 becomes 02:00 +01:00 at 01:00 UTC.
        (BERLIN, "30 2 * * *", "skip", "first", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        (BERLIN, "30 2 * * *", "skip", "second", "2026-10-24T12:00",
         ["2026-10-25T01:30", "2026-10-26T01:30"]),
        (BERLIN, "30 2 * * *", "skip", "both", "2026-10-24T12:00",
         ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-26T01:30"]),
        (BERLIN, "0 * * * *", "skip", "first", "2026-10-24T23:30",
         ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"]),
        # New York, 8 March 2026: 02:00 -05:00 becomes 03:00 -04:00 at 07:00 UTC.
        (NEW_YORK, "15 2 * * *", "run_after_gap", "first", "2026-03-07T12:00",
         ["2026-03-08T07:00", "2026-03-09T06:15"]),
        (NEW_YORK, "15 2 * * *", "skip", "first", "2026-03-07T12:00", ["2026-03-09T06:15"]),
        (NEW_YORK, "15 2 * * *", "shift", "first", "2026-03-07T12:00",
         ["2026-03-08T07:15", "2026-03-09T06:15"]),
        # New York, 1 November 2026: 02:00 -04:00 becomes 01:00 -05:00 at 06:00 UTC.
        (NEW_YORK, "15 1 * * *", "skip", "first", "2026-10-31T12:00",
         ["2026-11-01T05:15", "2026-11-02T06:15"]),
        (NEW_YORK, "15 1 * * *", "skip", "second", "2026-10-31T12:00",
         ["2026-11-01T06:15", "2026-11-02T06:15"]),
        (NEW_YORK, "15 1 * * *", "skip", "both", "2026-10-31T12:00",
         ["2026-11-01T05:15", "2026-11-01T06:15", "2026-11-02T06:15"]),
        # Half an hour at once: 02:00 +10:30 becomes 02:30 +11:00 on 4 October 2026.
        ("Australia/Lord_Howe", "15 2 * * *", "run_after_gap", "first", "2026-10-03T00:00",
         ["2026-10-03T15:30", "2026-10-04T15:15"]),
        ("Australia/Lord_Howe", "15 2 * * *", "shift", "first", "2026-10-03T00:00",
         ["2026-10-03T15:45", "2026-10-04T15:15"]),
        # Samoa had no 30 December 2011.
        ("Pacific/Apia", "0 9 * * *", "run_after_gap", "first", "2011-12-29T12:00",
         ["2011-12-29T19:00", "2011-12-30T10:00", "2011-12-30T19:00"]),
        ("Pacific/Apia", "0 9 30 12 *", "skip", "first", "2011-12-01T00:00", ["2012-12-29T19:00"]),
        ("Pacific/Apia", "0 9 30 12 *", "shift", "first", "2011-12-01T00:00", ["2011-12-30T19:00"]),
        # Havana's clocks go from 00:00 to 01:00: there is no midnight on 8 March 2026.
        ("America/Havana", "0 0 * * *", "run_after_gap", "first", "2026-03-07T12:00",
         ["2026-03-08T05:00", "2026-03-09T04:00"]),
        ("America/Havana", "0 0 * * *", "skip", "first", "2026-03-07T12:00", ["2026-03-09T04:00"]),
        # North Korea moved its standard time by half an hour at 23:30 on 4 May 2018, without daylight saving.
        ("Asia/Pyongyang", "45 23 * * *", "run_after_gap", "first", "2018-05-04T00:00",
         ["2018-05-04T15:00", "2018-05-05T14:45"]),
    ],
)  # fmt: skip
def test_the_table_of_clock_changes(
    zone: str, expression: str, gap: str, fold: str, after: str, expected: list[str]
) -> None:
    trigger = cron(expression, zone, gap, fold)
    assert next_fires(trigger, utc(after), len(expected)) == [utc(text) for text in expected]


def test_a_range_without_a_step_is_fixed_on_the_clock() -> None:
    fires = next_fires(cron("0 0-23 * * *", BERLIN), utc("2026-10-24T23:30"), 3)
    assert fires == [utc("2026-10-25T00:00"), utc("2026-10-25T02:00"), utc("2026-10-25T03:00")]


def test_a_yearly_time_in_a_gap_is_found_years_ahead() -> None:
    # 29 March is the day of the change in 2026 and 2037 only.
    trigger = cron("30 2 29 3 *", BERLIN, "skip")
    assert next_fires(trigger, utc("2025-12-01"), 2) == [utc("2027-03-29T00:30"), utc("2028-03-29T00:30")]
