"""Calendars: which moments are blacked out, and by which rule."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.domain.calendars import (
    Calendar,
    Effect,
    Rule,
    RuleKind,
    TaskCalendars,
    find_blackout,
)
from scheduling.domain.misfire import CatchUp, FirePlan, plan_fire
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.registry import TriggerSpec, build_trigger

pytestmark = pytest.mark.unit

WEEKEND = Rule(kind=RuleKind.WEEKDAYS, weekdays=(6, 7), note="weekend")
#: 2026-10-10 is a Saturday on which China works.
MAKE_UP = Rule(effect=Effect.INCLUSION, first_day=date(2026, 10, 10), note="make-up working day")


def at(text: str) -> datetime:
    """A local time."""
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def blackout_note(local: str, *rules: Rule) -> str | None:
    """The note of the rule that blacks out ``local``."""
    found = find_blackout([Calendar("office", rules)], at(local))
    return None if found is None else found.rule.note


@pytest.mark.parametrize(
    ("rule", "covered", "free"),
    [
        (
            Rule(first_day=date(2026, 5, 1)),
            ["2026-05-01T00:00", "2026-05-01T23:59:59"],
            ["2026-04-30T23:59:59", "2026-05-02"],
        ),
        (
            Rule(first_day=date(2026, 12, 24), last_day=date(2027, 1, 1)),
            ["2026-12-24T00:00", "2026-12-31T12:00", "2027-01-01T23:59:59"],
            ["2026-12-23T23:59:59", "2027-01-02T00:00"],
        ),
        (Rule(kind=RuleKind.YEARLY, month=12, day=25), ["2026-12-25T08:00", "2031-12-25"], ["2026-12-24T08:00"]),
        (Rule(kind=RuleKind.YEARLY, month=2, day=29), ["2028-02-29"], ["2027-02-28", "2027-03-01"]),
        (WEEKEND, ["2026-10-10", "2026-10-11T23:59"], ["2026-10-09T23:59:59", "2026-10-12"]),
        (
            Rule(kind=RuleKind.HOURS, from_time=time(9), until_time=time(17)),
            ["2026-01-01T09:00", "2026-01-01T16:59:59"],
            ["2026-01-01T08:59:59", "2026-01-01T17:00"],
        ),
        (
            Rule(kind=RuleKind.HOURS, from_time=time(22), until_time=time(6)),
            ["2026-01-01T22:00", "2026-01-01T00:00", "2026-01-01T05:59:59"],
            ["2026-01-01T06:00", "2026-01-01T21:59:59"],
        ),
        (Rule(kind=RuleKind.HOURS, from_time=time(20)), ["2026-01-01T20:00"], ["2026-01-01T19:59", "2026-01-02"]),
        (Rule(kind=RuleKind.HOURS, until_time=time(4)), ["2026-01-01T00:00"], ["2026-01-01T04:00"]),
        # The night of Friday ends on Saturday.
        (
            Rule(kind=RuleKind.WEEKDAYS, weekdays=(5,), from_time=time(22), until_time=time(6)),
            ["2026-10-09T22:00", "2026-10-10T05:59"],
            ["2026-10-09T05:00", "2026-10-10T22:00"],
        ),
    ],
)
def test_a_rule_covers_its_days_and_hours_and_no_others(rule: Rule, covered: list[str], free: list[str]) -> None:
    assert [each for each in covered if not rule.covers(at(each))] == []
    assert [each for each in free if rule.covers(at(each))] == []


def test_the_rule_that_blacks_a_moment_out_is_named() -> None:
    assert blackout_note("2026-10-11T08:00", WEEKEND, MAKE_UP) == "weekend"
    assert blackout_note("2026-10-12T08:00", WEEKEND, MAKE_UP) is None


def test_an_inclusion_wins_over_every_blackout_whichever_comes_first() -> None:
    assert blackout_note("2026-10-10T08:00", WEEKEND, MAKE_UP) is None
    assert blackout_note("2026-10-10T08:00", MAKE_UP, WEEKEND) is None


def test_of_several_calendars_any_blacks_out_and_any_includes() -> None:
    holidays = Calendar("holidays", (Rule(first_day=date(2026, 10, 1), note="National Day"),))
    office = Calendar("office", (WEEKEND,))
    make_up = Calendar("make-up days", (MAKE_UP,))
    found = find_blackout([office, holidays], at("2026-10-01T08:00"))
    assert found is not None
    assert found.sentence == "Blacked out by the calendar “holidays”: National Day."
    assert find_blackout([office, holidays], at("2026-10-10T08:00")) is not None
    assert find_blackout([office, make_up], at("2026-10-10T08:00")) is None


def test_a_calendar_is_read_on_the_wall_clock_of_the_tasks_zone() -> None:
    calendars = [Calendar("office", (WEEKEND,))]
    friday_evening = utc("2026-10-09T20:00")
    assert TaskCalendars(calendars, "Europe/Berlin").blackout(friday_evening) is None
    assert TaskCalendars(calendars, "Asia/Shanghai").blackout(friday_evening) is not None


RULES = st.builds(
    Rule,
    effect=st.sampled_from(Effect),
    kind=st.sampled_from(RuleKind),
    first_day=st.dates(date(2026, 3, 20), date(2026, 4, 10)),
    last_day=st.none() | st.dates(date(2026, 3, 25), date(2026, 4, 15)),
    month=st.just(3),
    day=st.integers(20, 31),
    weekdays=st.sets(st.integers(1, 7), max_size=5).map(tuple),
    from_time=st.none() | st.times().map(lambda each: each.replace(second=0, microsecond=0)),
    until_time=st.none() | st.times().map(lambda each: each.replace(second=0, microsecond=0)),
)


@given(rules=st.lists(RULES, max_size=4).map(tuple), hours=st.integers(1, 300))
def test_the_first_and_the_last_allowed_fire_are_those_that_a_walk_finds(rules: tuple[Rule, ...], hours: int) -> None:
    # Over days without a change of the clock; around one, only which tick stands for the others may differ.
    trigger = build_trigger(TriggerSpec(kind="interval", every_seconds=2700))
    calendars = TaskCalendars([Calendar("any", rules)], "Asia/Shanghai")
    start, end = utc("2026-03-21T05:10"), utc("2026-03-21T05:10") + timedelta(hours=hours)
    allowed, fire = [], trigger.next_after(start)
    while fire is not None and fire <= end:
        if calendars.find(fire) is None:
            allowed.append(fire)
        fire = trigger.next_after(fire)
    assert calendars.first_allowed(trigger, start, end) == (allowed[0] if allowed else None)
    assert calendars.latest_allowed(trigger, start, end) == (allowed[-1] if allowed else None)


# What becomes of blacked-out ticks

HOURLY = build_trigger(TriggerSpec(kind="cron", cron_expression="0 * * * *"))
OFFICE = TaskCalendars([Calendar("office", (WEEKEND,))], "UTC")


def plan(due: str, now: str, catch_up: CatchUp = CatchUp.LATEST, trigger: Trigger = HOURLY, **over: Any) -> FirePlan:
    fields: dict[str, Any] = {
        "due": utc(due),
        "now": utc(now),
        "trigger": trigger,
        "floor": None,
        "catch_up": catch_up,
        "grace": timedelta(seconds=60),
        "max_catch_up": 100,
        "calendars": OFFICE,
    }
    return plan_fire(**{**fields, **over})


def walk(due: str, now: str, catch_up: CatchUp) -> list[tuple[str, str, int, bool]]:
    """The rows that catching up makes: since, the moment they are for, for how many they stand, whether they run."""
    rows = []
    moment: datetime | None = utc(due)
    while moment is not None and moment <= utc(now):
        made = plan(f"{moment:%Y-%m-%dT%H:%M:%S}", now, catch_up)
        rows.append(
            (f"{made.missed_since or made.fire_for:%a %H}", f"{made.fire_for:%a %H}", made.missed_count, made.runs)
        )
        moment = made.next_run_at
    return rows


@pytest.mark.parametrize("catch_up", CatchUp)
def test_a_blacked_out_tick_is_a_row_with_its_reason_and_does_not_run(catch_up: CatchUp) -> None:
    made = plan("2026-10-10T08:00", "2026-10-10T08:00:01", catch_up)
    assert (made.runs, made.missed_count, made.next_run_at) == (False, 0, utc("2026-10-10T09:00"))
    assert made.message == "Blacked out by the calendar “office”: weekend."


def test_the_latest_allowed_tick_stands_for_what_was_missed_and_the_weekend_after_it_is_a_record() -> None:
    # Down from Friday 20:00 until Sunday noon.
    assert walk("2026-10-09T20:00", "2026-10-11T12:10", CatchUp.LATEST) == [
        ("Fri 20", "Fri 23", 4, True),
        ("Sat 00", "Sun 12", 37, False),
    ]


def test_an_outage_that_begins_on_the_weekend_is_counted_from_the_first_tick_that_should_have_run() -> None:
    assert walk("2026-10-10T20:00", "2026-10-12T02:30", CatchUp.LATEST) == [
        ("Sat 20", "Sun 23", 28, False),
        ("Mon 00", "Mon 02", 3, True),
    ]
    assert walk("2026-10-10T20:00", "2026-10-12T02:30", CatchUp.NONE) == [
        ("Sat 20", "Sun 23", 28, False),
        ("Mon 00", "Mon 02", 3, False),
    ]


def test_an_outage_over_several_weekends_still_makes_one_run() -> None:
    rows = walk("2026-09-28T00:00", "2026-10-12T02:30", CatchUp.LATEST)
    assert rows == [("Mon 00", "Mon 02", 14 * 24 + 3, True)]


def test_with_catch_up_all_each_blacked_out_tick_is_a_row_of_its_own() -> None:
    rows = walk("2026-10-09T22:00", "2026-10-10T02:30", CatchUp.ALL)
    assert [(moment, runs) for _, moment, _, runs in rows] == [
        ("Fri 22", True),
        ("Fri 23", True),
        ("Sat 00", False),
        ("Sat 01", False),
        ("Sat 02", False),
    ]


def test_a_record_says_how_many_ticks_the_calendar_passed_over() -> None:
    made = plan("2026-10-10T08:00", "2026-10-10T10:30")
    assert made.message == (
        "Blacked out by the calendar “office”: weekend. Stands for 3 ticks since 2026-10-10 08:00:00 UTC."
    )
