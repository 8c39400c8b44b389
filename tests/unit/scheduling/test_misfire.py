"""What becomes of late ticks: tables of outages, and the promise that every tick is accounted for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.domain.misfire import MISSED_COUNT_CAP, CatchUp, FirePlan, default_grace, plan_fire
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.registry import TriggerSpec, build_trigger

pytestmark = pytest.mark.unit

steady = settings(deadline=None, derandomize=True, database=None)
DUE = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def after_due(seconds: float) -> datetime:
    return DUE + timedelta(seconds=seconds)


def every(seconds: int) -> Trigger:
    return build_trigger(TriggerSpec(kind="interval", every_seconds=seconds))


def cron(expression: str) -> Trigger:
    return build_trigger(TriggerSpec(kind="cron", cron_expression=expression, timezone="Europe/Berlin"))


def known(decided: FirePlan) -> tuple[datetime, bool, int, datetime | None, datetime | None]:
    return (decided.fire_for, decided.runs, decided.missed_count, decided.missed_since, decided.next_run_at)


ONCE = build_trigger(TriggerSpec(kind="once", at=DUE))


def plan(trigger: Trigger, late: float, catch_up: CatchUp = CatchUp.LATEST, **changes: Any) -> FirePlan:
    values: dict[str, Any] = {
        "due": DUE,
        "now": after_due(late),
        "trigger": trigger,
        "floor": None,
        "catch_up": catch_up,
        "grace": timedelta(seconds=60),
        "max_catch_up": 100,
    }
    return plan_fire(**(values | changes))


HOUR, THREE_DAYS = 3600, 3 * 86400


@pytest.mark.parametrize("catch_up", CatchUp)
@pytest.mark.parametrize("late", [0, 0.000001, 60])
def test_a_tick_within_its_grace_is_simply_late(catch_up: CatchUp, late: float) -> None:
    expected = FirePlan(fire_for=DUE, runs=True, missed_count=0, missed_since=None, next_run_at=after_due(10))
    assert plan(every(10), late, catch_up) == expected


@pytest.mark.parametrize("catch_up", CatchUp)
def test_a_tick_beyond_its_grace_is_a_misfire(catch_up: CatchUp) -> None:
    assert plan(every(3600), 60.000001, catch_up) == FirePlan(
        fire_for=DUE,
        runs=catch_up is not CatchUp.NONE,
        missed_count=1,
        missed_since=DUE,
        next_run_at=after_due(3600),
    )


# Expected: seconds from DUE to the recorded tick, whether it runs, ticks it stands for, seconds to the next.
@pytest.mark.parametrize(
    ("trigger", "late", "catch_up", "expected"),
    [
        # One minute (and a second), one hour, three days without a scheduler; an interval of ten minutes.
        (every(600), 61, "latest", (0, True, 1, 600)),
        (every(600), 61, "none", (0, False, 1, 600)),
        (every(600), 61, "all", (0, True, 1, 600)),
        (every(600), HOUR, "latest", (3600, True, 7, 4200)),
        (every(600), HOUR - 1, "latest", (3000, True, 6, 3600)),
        (every(600), HOUR, "none", (3600, False, 7, 4200)),
        (every(600), HOUR, "all", (0, True, 1, 600)),
        (every(600), THREE_DAYS, "latest", (THREE_DAYS, True, 433, THREE_DAYS + 600)),
        (every(600), THREE_DAYS, "none", (THREE_DAYS, False, 433, THREE_DAYS + 600)),
        # 433 ticks, the last of them within its grace; of the 432 misfires 332 are too many.
        (every(600), THREE_DAYS, "all", (331 * 600, False, 332, 332 * 600)),
        # The same for cron.
        (cron("*/10 * * * *"), 61, "latest", (0, True, 1, 600)),
        (cron("*/10 * * * *"), HOUR, "none", (3600, False, 7, 4200)),
        (cron("*/10 * * * *"), THREE_DAYS, "latest", (THREE_DAYS, True, 433, THREE_DAYS + 600)),
        (cron("*/10 * * * *"), THREE_DAYS, "all", (331 * 600, False, 332, 332 * 600)),
        (cron("0 14 * * *"), THREE_DAYS - 1, "latest", (2 * 86400, True, 3, THREE_DAYS)),
        (cron("0 14 * * *"), THREE_DAYS - 1, "all", (0, True, 1, 86400)),
        # Every second for three days: counted in full, and no tick of the present is lost.
        (cron("* * * * * *"), THREE_DAYS, "latest", (THREE_DAYS, True, THREE_DAYS + 1, THREE_DAYS + 1)),
        (cron("* * * * * *"), THREE_DAYS, "all",
         (THREE_DAYS - 161, False, THREE_DAYS - 160, THREE_DAYS - 160)),
        # Once: there is no other tick.
        (ONCE, 61, "latest", (0, True, 1, None)),
        (ONCE, HOUR, "none", (0, False, 1, None)),
        (ONCE, THREE_DAYS, "all", (0, True, 1, None)),
        (ONCE, 5, "none", (0, True, 0, None)),
    ],
)  # fmt: skip
def test_the_table_of_outages(
    trigger: Trigger, late: float, catch_up: str, expected: tuple[int, bool, int, int | None]
) -> None:
    offset, runs, count, following = expected
    assert plan(trigger, late, CatchUp(catch_up)) == FirePlan(
        fire_for=after_due(offset),
        runs=runs,
        missed_count=count,
        missed_since=DUE if count else None,
        next_run_at=None if following is None else after_due(following),
    )


@pytest.mark.parametrize("late", [0, HOUR, THREE_DAYS])
@pytest.mark.parametrize("catch_up", CatchUp)
def test_an_edited_schedule_yields_no_tick_from_before_the_edit(catch_up: CatchUp, late: float) -> None:
    edited_at = after_due(1800)
    decided = plan(every(60), late, catch_up, floor=edited_at, max_catch_up=10**6)
    assert decided.next_run_at is not None
    assert decided.next_run_at > edited_at
    assert decided.fire_for == DUE or decided.fire_for > edited_at
    if catch_up is CatchUp.LATEST and late == HOUR:
        # The tick that was due, and the thirty of the half hour since the edit.
        assert decided.missed_count == 31


def test_an_edit_after_the_last_tick_leaves_the_due_one_alone() -> None:
    decided = plan(every(60), 600, floor=after_due(595))
    assert known(decided) == (after_due(600), True, 2, DUE, after_due(660))
    decided = plan(every(600), 650, floor=after_due(640))
    assert known(decided) == (DUE, True, 1, DUE, after_due(1200))


def test_a_limit_of_none_skips_all_misfires_and_keeps_what_is_merely_late() -> None:
    decided = plan(every(10), 300, CatchUp.ALL, max_catch_up=0)
    # 240 seconds ago is beyond the grace of 60 seconds no longer: that tick runs.
    assert known(decided) == (after_due(230), False, 24, DUE, after_due(240))


def test_the_trigger_may_end_during_the_outage() -> None:
    ending = build_trigger(TriggerSpec(kind="interval", every_seconds=60, ends_at=after_due(300)))
    assert known(plan(ending, HOUR)) == (after_due(300), True, 6, DUE, None)
    assert known(plan(ending, HOUR, CatchUp.ALL, max_catch_up=2)) == (
        after_due(180),
        False,
        4,
        DUE,
        after_due(240),
    )


def test_a_grace_that_is_not_given_is_a_tenth_of_the_period_or_a_minute() -> None:
    assert default_grace(every(30), DUE) == timedelta(seconds=60)
    assert default_grace(every(3600), DUE) == timedelta(seconds=360)
    assert default_grace(cron("0 14 * * *"), DUE) == timedelta(hours=2, minutes=24)
    assert default_grace(ONCE, DUE) == timedelta(seconds=60)
    assert plan(every(3600), 360, grace=None).missed_count == 0
    assert plan(every(3600), 361, grace=None).missed_count == 1


def test_nothing_is_planned_before_it_is_due() -> None:
    with pytest.raises(ValueError, match="early"):
        plan(every(10), -0.000001)


def test_a_count_that_would_take_long_stops_and_says_at_least() -> None:
    # A fixed-clock expression of every second, which has to be walked: its latest tick is exact all the same.
    dense = cron("0-59 0-59 0-23 * * *")
    decided = plan(dense, THREE_DAYS)
    assert decided.fire_for == after_due(THREE_DAYS)
    assert decided.missed_count == MISSED_COUNT_CAP
    assert decided.next_run_at == after_due(THREE_DAYS + 1)


TRIGGERS = [
    every(60),
    every(7),
    cron("*/3 * * * *"),
    cron("0,20 2,14 * * *"),
    cron("*/30 * 14-15 * * *"),
    cron("15 3 * * 1,4"),
    ONCE,
]


@steady
@given(
    trigger=st.sampled_from(TRIGGERS),
    catch_up=st.sampled_from(CatchUp),
    outage=st.timedeltas(timedelta(0), timedelta(days=5)),
    grace=st.timedeltas(timedelta(0), timedelta(hours=2)),
    max_catch_up=st.integers(0, 20),
)
def test_no_tick_is_planned_twice_and_none_is_forgotten(
    trigger: Trigger, catch_up: CatchUp, outage: timedelta, grace: timedelta, max_catch_up: int
) -> None:
    start = DUE - timedelta(microseconds=1)
    due = trigger.next_after(start)
    assert due is not None
    now = due + outage
    in_all = trigger.count_between(start, now, cap=10**9)
    accounted = decisions = 0
    next_run: datetime | None = due
    # A scheduler that is back and works off what is due, at one moment.
    while next_run is not None and next_run <= now and decisions < 1000:
        decided = plan_fire(
            due=next_run,
            now=now,
            trigger=trigger,
            floor=None,
            catch_up=catch_up,
            grace=grace,
            max_catch_up=max_catch_up,
        )
        assert next_run <= decided.fire_for <= now
        assert decided.next_run_at is None or decided.next_run_at > decided.fire_for
        assert decided.missed_since == (next_run if decided.missed_count else None)
        # What lies between the tick that was due and the next one is what the plan stands for.
        stands_for = max(1, decided.missed_count)
        assert 1 + trigger.count_between(next_run, decided.fire_for, cap=10**9) == stands_for
        if catch_up is CatchUp.ALL and stands_for > 1:
            assert not decided.runs
        accounted += stands_for
        decisions += 1
        next_run = decided.next_run_at
    if decisions < 1000:
        assert accounted == in_all
