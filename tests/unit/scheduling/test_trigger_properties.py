"""What holds for every trigger, whatever the expression, the zone and the moment."""

from __future__ import annotations

import itertools
import os
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from cronsim import CronSim
from hypothesis import assume, given
from hypothesis import strategies as st

from scheduling.domain.errors import InvalidField
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.registry import TriggerSpec, build_trigger, next_fires
from scheduling.domain.triggers.walk import latest_fire
from tests.unit.scheduling.test_daylight_saving import FOLD_POLICIES, GAP_POLICIES, assert_follows_the_definition
from tests.unit.scheduling.wall_clock import ClockChange, clock_changes

pytestmark = pytest.mark.unit

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Pacific/Apia",
    "Africa/Casablanca",
)
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def field(low: int, high: int) -> st.SearchStrategy[str]:
    """One field of numbers: a number, a list, a range, a step over a range, and not ``*``."""
    number = st.integers(low, high)
    ends = st.tuples(number, number).map(sorted)
    return st.one_of(
        number.map(str),
        st.lists(number, min_size=2, max_size=4, unique=True).map(lambda values: ",".join(map(str, sorted(values)))),
        ends.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(ends, st.integers(1, 15)).map(lambda parts: f"{parts[0][0]}-{parts[0][1]}/{parts[1]}"),
    )


def or_star(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), strategy)


def stepped(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), st.integers(2, 20).map(lambda step: f"*/{step}"), field(low, high))


day_of_week = st.one_of(field(0, 6), st.sampled_from(WEEKDAYS), st.sampled_from(["mon-fri", "mon#2", "fri#1"]))
five_fields = st.tuples(
    stepped(0, 59), stepped(0, 23), or_star(field(1, 31)), or_star(field(1, 12)), or_star(day_of_week)
).map(" ".join)
expressions = st.one_of(
    five_fields,
    st.tuples(stepped(0, 59), five_fields).map(" ".join),
    st.tuples(stepped(0, 59), five_fields, st.integers(2020, 2040).map(str)).map(" ".join),
    st.sampled_from(["@daily", "@hourly", "0 0 L * *", "0 18 * * L5", "0 0 29 2 *"]),
)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31)).map(  # noqa: DTZ001 - the next call names UTC
    lambda moment: moment.replace(tzinfo=UTC)
)
triggers = st.builds(
    TriggerSpec,
    kind=st.just("cron"),
    cron_expression=expressions,
    timezone=st.sampled_from(ZONES),
    dst_gap=st.sampled_from(GAP_POLICIES),
    dst_fold=st.sampled_from(FOLD_POLICIES),
)


def built(spec: TriggerSpec) -> Trigger:
    try:
        return build_trigger(spec)
    except InvalidField as error:
        # 30 February and the like, which is refused by its own sentence.
        assume("never fires" not in str(error))
        raise


@given(triggers, moments)
def test_each_fire_is_strictly_later_than_the_one_before(spec: TriggerSpec, moment: datetime) -> None:
    fires = [moment, *next_fires(built(spec), moment, 20)]
    assert all(earlier < later for earlier, later in itertools.pairwise(fires))


@given(triggers, moments, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_the_last_fire_up_to_a_moment_and_the_next_one_after_it_leave_nothing_between_them(
    spec: TriggerSpec, moment: datetime, ago: timedelta
) -> None:
    trigger = built(spec)
    before = latest_fire(trigger, moment - ago, moment)
    following = trigger.next_after(moment)
    if before is None:
        assert trigger.next_after(moment - ago) == following
    else:
        assert moment - ago < before <= moment
        assert trigger.next_after(before) == following
        assert trigger.next_after(before - timedelta(microseconds=1)) == before


@given(triggers, moments)
def test_fires_do_not_depend_on_the_moment_from_which_they_are_asked_for(spec: TriggerSpec, moment: datetime) -> None:
    trigger = built(spec)
    fires = next_fires(trigger, moment, 5)
    for start, fire in itertools.pairwise([moment, *fires]):
        middle = start + (fire - start) / 2
        assert trigger.next_after(middle) == fire


@given(triggers, moments)
def test_counting_and_walking_agree(spec: TriggerSpec, moment: datetime) -> None:
    trigger = built(spec)
    fires = next_fires(trigger, moment, 30)
    assume(fires)
    assert trigger.count_between(moment, fires[-1], cap=1000) == len(fires)


# A second oracle: cronsim, which follows Debian's cron. Both agree in UTC, where no clock is changed. The day fields
# are drawn so that Debian's rule, under which a leading "*" makes day and weekday both count, means what Vixie's does;
# and without ranges from a value to itself, of which cronsim has notions of its own in the weekday field.
plain_fields = st.tuples(
    stepped(0, 59), stepped(0, 23), or_star(field(1, 31)), or_star(field(1, 12)), or_star(field(0, 6))
).map(" ".join)
plain_fields = plain_fields.filter(lambda text: not re.search(r"\b(\d+)-\1\b", text))


@given(plain_fields, moments)
def test_without_a_change_of_the_clock_cronsim_names_the_same_fires(expression: str, moment: datetime) -> None:
    trigger = built(TriggerSpec(kind="cron", cron_expression=expression))
    assert next_fires(trigger, moment, 10) == list(itertools.islice(CronSim(expression, moment), 10))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5-5 * * * *", "5 * * * *"),
        ("05-5/2 0-0 * * *", "5 0 * * *"),
        ("0 0 13-13 * *", "0 0 13 * *"),
        ("0 0 * mar-mar *", "0 0 * 3 *"),
        ("0 0 * * mon-mon", "0 0 * * 1"),
        ("1-1,3-3,5-9 0 * * *", "1,3,5-9 0 * * *"),
    ],
)
def test_a_range_from_a_value_to_itself_is_that_value(written: str, meant: str) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    fires = [next_fires(built(TriggerSpec(kind="cron", cron_expression=each)), moment, 20) for each in (written, meant)]
    assert fires[0] == fires[1]


#: Every zone is walked when this is set, which takes minutes; otherwise a sample.
ALL_ZONES = bool(os.environ.get("ROTA_ALL_ZONES"))
NAMES = sorted(
    name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix", "right"))
)
SAMPLE = NAMES if ALL_ZONES else NAMES[5::90]
_SEEN: set[ClockChange] = set()


@pytest.mark.parametrize("zone", SAMPLE)
@pytest.mark.timeout(600)
def test_every_change_between_1990_and_2037_follows_the_definition(zone: str) -> None:
    changes = list(clock_changes(zone, 1990, 2037))
    for change in changes if ALL_ZONES else changes[:: max(1, len(changes) // 8)]:
        # Most zones share their changes with others; the same one need not be walked twice.
        same = change._replace(zone="")
        if same not in _SEEN:
            _SEEN.add(same)
            assert_follows_the_definition(change)
