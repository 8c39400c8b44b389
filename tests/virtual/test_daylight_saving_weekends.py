"""What whole weekends do at the change of the clocks: the real scheduler on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scheduling.virtual_world import VirtualWorld

World = Callable[[str], VirtualWorld]

NIGHTLY: dict[str, Any] = {"trigger": "cron", "cron_expression": "30 2 * * *", "timezone": "Europe/Berlin"}


def test_the_spring_weekend_in_berlin(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2026-03-28T00:00+01:00")
    after_gap = world.task("run after the gap", **NIGHTLY)
    skip = world.task("skip", **NIGHTLY, dst_gap="skip")
    shift = world.task("shift", **NIGHTLY, dst_gap="shift")
    hourly = world.task("hourly", trigger="cron", cron_expression="0 * * * *", timezone="Europe/Berlin")
    world.run_until("2026-03-30T12:00+02:00")
    saturday, monday = "2026-03-28T02:30+01:00", "2026-03-30T02:30+02:00"
    assert world.runs(after_gap) == [saturday, "2026-03-29T03:00+02:00", monday]
    assert world.runs(skip) == [saturday, monday]
    assert world.runs(shift) == [saturday, "2026-03-29T03:30+02:00", monday]
    # From 01:00 on Saturday to 12:00 on Monday: 60 hours on the clock, and one of them does not exist.
    assert len(world.runs(hourly)) == 59
    assert "2026-03-29T02:00" not in "".join(world.runs(hourly))


def test_the_autumn_weekend_in_berlin(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2026-10-24T00:00+02:00")
    first = world.task("first", **NIGHTLY)
    second = world.task("second", **NIGHTLY, dst_fold="second")
    both = world.task("both", **NIGHTLY, dst_fold="both")
    hourly = world.task("hourly", trigger="cron", cron_expression="0 * * * *", timezone="Europe/Berlin")
    world.run_until("2026-10-26T12:00+01:00")
    saturday, monday = "2026-10-24T02:30+02:00", "2026-10-26T02:30+01:00"
    summer, winter = "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"
    assert world.runs(first) == [saturday, summer, monday]
    assert world.runs(second) == [saturday, winter, monday]
    assert world.runs(both) == [saturday, summer, winter, monday]
    assert len(world.runs(hourly)) == 61


@pytest.mark.parametrize(
    ("start", "until", "expected"),
    [
        (
            "2026-03-07T12:00-05:00",
            "2026-03-09T12:00-04:00",
            ["2026-03-08T03:00-04:00", "2026-03-09T02:15-04:00"],
        ),
        (
            "2026-10-31T12:00-04:00",
            "2026-11-02T12:00-05:00",
            ["2026-11-01T02:15-05:00", "2026-11-02T02:15-05:00"],
        ),
    ],
)
def test_the_weekends_in_new_york(virtual_scheduler: World, start: str, until: str, expected: list[str]) -> None:
    world = virtual_scheduler(start)
    task = world.task("quarter past two", trigger="cron", cron_expression="15 2 * * *", timezone="America/New_York")
    world.run_until(until)
    assert world.runs(task) == expected


def test_lord_howe_moves_its_clock_by_half_an_hour(virtual_scheduler: World) -> None:
    spring = virtual_scheduler("2026-10-03T12:00+10:30")
    task = spring.task("tea", trigger="cron", cron_expression="15 2 * * *", timezone="Australia/Lord_Howe")
    spring.run_until("2026-10-05T12:00+11:00")
    assert spring.runs(task) == ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]
    autumn = virtual_scheduler("2026-04-04T12:00+11:00")
    task = autumn.task(
        "tea", trigger="cron", cron_expression="45 1 * * *", timezone="Australia/Lord_Howe", dst_fold="both"
    )
    autumn.run_until("2026-04-06T12:00+10:30")
    assert autumn.runs(task) == ["2026-04-05T01:45+11:00", "2026-04-05T01:45+10:30", "2026-04-06T01:45+10:30"]
