"""The triggers besides cron, the bounds of all of them, and what is refused before there is one."""

import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.domain.errors import InvalidField
from scheduling.domain.policies import TriggerKind
from scheduling.domain.triggers.registry import TriggerSpec, build_trigger, next_fires
from scheduling.domain.triggers.walk import fire_from_end, latest_fire

pytestmark = pytest.mark.unit

steady = settings(deadline=None, derandomize=True, database=None)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@steady
@given(st.integers(1, 10**7) | st.integers(100, 10**7).map(lambda each: each / 1000), moments, moments)
def test_an_interval_fires_at_whole_multiples_from_its_anchor(every: float, anchor: datetime, moment: datetime) -> None:
    trigger = build_trigger(TriggerSpec(kind="interval", every_seconds=every, anchor=anchor))
    fire = trigger.next_after(moment)
    assert fire is not None
    assert moment < fire <= moment + timedelta(seconds=every)
    assert (fire - anchor) % timedelta(seconds=every) == timedelta(0)
    assert trigger.next_after(fire) == fire + timedelta(seconds=every)


def test_an_interval_keeps_its_phase_over_an_outage() -> None:
    trigger = build_trigger(TriggerSpec(kind="interval", every_seconds=7 * 60, anchor=utc("2026-01-01T00:03")))
    assert trigger.next_after(utc("2026-01-01T00:03")) == utc("2026-01-01T00:10")
    assert trigger.next_after(utc("2026-01-01T05:00:01")) == utc("2026-01-01T05:04")


def test_an_interval_without_an_anchor_counts_from_1970() -> None:
    trigger = build_trigger(TriggerSpec(kind="interval", every_seconds=3600))
    assert trigger.next_after(utc("2026-01-01T04:20")) == utc("2026-01-01T05:00")


def test_an_interval_ends_with_the_calendar() -> None:
    trigger = build_trigger(TriggerSpec(kind="interval", every_seconds=3600))
    assert trigger.next_after(datetime.max.replace(tzinfo=UTC)) is None


def test_once_fires_once() -> None:
    trigger = build_trigger(TriggerSpec(kind="once", at=utc("2026-03-01T12:00:00.5")))
    assert trigger.next_after(utc("2026-03-01T12:00:00.499999")) == utc("2026-03-01T12:00:00.5")
    assert trigger.next_after(utc("2026-03-01T12:00:00.5")) is None
    assert trigger.count_between(utc("2026-01-01"), utc("2027-01-01"), cap=5) == 1
    assert trigger.count_between(utc("2026-01-01"), utc("2026-03-01"), cap=5) == 0


def test_manual_never_fires() -> None:
    trigger = build_trigger(TriggerSpec(kind="manual"))
    assert trigger.next_after(utc("2026-01-01")) is None
    assert trigger.count_between(utc("2026-01-01"), utc("2027-01-01"), cap=5) == 0


SPECS: list[dict[str, Any]] = [
    {"kind": "cron", "cron_expression": "*/5 * * * *", "timezone": "Europe/Berlin"},
    {"kind": "cron", "cron_expression": "30 2 * * *", "timezone": "Europe/Berlin", "dst_gap": "shift"},
    {"kind": "cron", "cron_expression": "*/7 1-2 * * * *", "timezone": "America/New_York"},
    {"kind": "cron", "cron_expression": "0 9 L * 1", "timezone": "Asia/Kathmandu"},
    {"kind": "interval", "every_seconds": 1000},
    {"kind": "once", "at": utc("2026-03-29T01:00")},
    {"kind": "manual"},
]


@pytest.mark.parametrize("fields", SPECS, ids=str)
def test_every_trigger_answers_in_utc_whatever_zone_it_is_asked_in(fields: dict[str, Any]) -> None:
    trigger = build_trigger(TriggerSpec(**fields))
    moment = utc("2026-03-01T10:00")
    fire = trigger.next_after(moment.astimezone(timezone(timedelta(hours=5, minutes=45))))
    assert fire == trigger.next_after(moment)
    assert fire is None or fire.tzinfo is UTC


@pytest.mark.parametrize("fields", SPECS, ids=str)
def test_no_trigger_answers_for_a_moment_without_a_zone(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="time zone"):
        build_trigger(TriggerSpec(**fields)).next_after(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("fields", [fields for fields in SPECS if fields["kind"] in ("cron", "interval")], ids=str)
def test_the_start_and_the_end_belong_to_the_fires(fields: dict[str, Any]) -> None:
    fires = next_fires(build_trigger(TriggerSpec(**fields)), utc("2026-03-28T12:00"), 6)
    first, last, instant = fires[0], fires[-1], timedelta(microseconds=1)
    for starts_at, ends_at, expected in (
        (first, last, fires),
        (first + instant, last, fires[1:]),
        (first, last - instant, fires[:-1]),
        (last, last, fires[-1:]),
    ):
        bounded = build_trigger(TriggerSpec(**fields, starts_at=starts_at, ends_at=ends_at))
        assert next_fires(bounded, utc("2020-01-01"), 10) == expected
        assert bounded.count_between(utc("2020-01-01"), utc("2030-01-01"), cap=100) == len(expected)


def test_a_single_moment_outside_of_its_bounds_never_fires() -> None:
    at = utc("2026-03-29T01:00")
    within = build_trigger(TriggerSpec(kind="once", at=at, starts_at=at, ends_at=at))
    assert next_fires(within, utc("2020-01-01"), 2) == [at]
    too_late = build_trigger(TriggerSpec(kind="once", at=at, ends_at=at - timedelta(seconds=1)))
    assert next_fires(too_late, utc("2020-01-01"), 2) == []
    too_early = build_trigger(TriggerSpec(kind="once", at=at, starts_at=at + timedelta(seconds=1)))
    assert next_fires(too_early, utc("2020-01-01"), 2) == []


@pytest.mark.parametrize("fields", SPECS, ids=str)
def test_counting_and_searching_agree_with_asking_one_by_one(fields: dict[str, Any]) -> None:
    trigger = build_trigger(TriggerSpec(**fields))
    start = utc("2026-03-28T12:00")
    for hours in (1, 14, 60, 24 * 40):
        end = start + timedelta(hours=hours)
        fires = []
        fire = trigger.next_after(start)
        while fire is not None and fire <= end:
            fires.append(fire)
            fire = trigger.next_after(fire)
        assert trigger.count_between(start, end, cap=10**9) == len(fires)
        if len(fires) >= 3:
            assert trigger.count_between(start, end, cap=3) >= 3
        assert latest_fire(trigger, start, end) == (fires[-1] if fires else None)
        for position in {1, 2, len(fires) // 2, len(fires)}:
            if 1 <= position <= len(fires):
                assert fire_from_end(trigger, start, end, position) == fires[-position]
        with pytest.raises(ValueError, match="not that many"):
            fire_from_end(trigger, start, end, len(fires) + 1)


def test_nothing_is_counted_backwards() -> None:
    for fields in SPECS:
        trigger = build_trigger(TriggerSpec(**fields))
        assert trigger.count_between(utc("2026-03-30"), utc("2026-03-28"), cap=10) == 0


def test_equal_specifications_share_one_trigger() -> None:
    for fields in SPECS:
        assert build_trigger(TriggerSpec(**fields)) is build_trigger(TriggerSpec(**fields))


def test_every_kind_of_trigger_can_be_built() -> None:
    assert {fields["kind"] for fields in SPECS} == set(TriggerKind) - {TriggerKind.FIXED_DELAY}


def test_a_fixed_delay_counts_from_the_moment_it_is_asked_about() -> None:
    trigger = build_trigger(TriggerSpec(kind="fixed_delay", every_seconds=90))
    assert trigger.next_after(utc("2026-03-28T12:00:07")) == utc("2026-03-28T12:01:37")
    assert trigger.count_between(utc("2026-03-28T12:00"), utc("2026-03-28T12:04"), cap=10) == 2


def test_a_fixed_delay_begins_at_its_start_and_ends_at_its_end() -> None:
    trigger = build_trigger(
        TriggerSpec(
            kind="fixed_delay",
            every_seconds=60,
            starts_at=utc("2026-03-28T12:00"),
            ends_at=utc("2026-03-28T12:02"),
        )
    )
    assert trigger.next_after(utc("2026-03-27")) == utc("2026-03-28T12:00")
    assert trigger.next_after(utc("2026-03-28T12:00:30")) == utc("2026-03-28T12:01:30")
    assert trigger.next_after(utc("2026-03-28T12:01:30")) is None
    assert trigger.count_between(utc("2026-03-27"), utc("2026-03-29"), cap=10) == 3
    assert trigger.count_between(utc("2026-03-26"), utc("2026-03-27"), cap=10) == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "sometimes"}, "kind"),
        ({"kind": ""}, "kind"),
        ({"kind": "cron", "cron_expression": "* * *"}, "cron_expression"),
        ({"kind": "cron", "cron_expression": "* * * * *", "dst_gap": "ignore"}, "dst_gap"),
        ({"kind": "cron", "cron_expression": "* * * * *", "dst_fold": "third"}, "dst_fold"),
        ({"kind": "interval"}, "every_seconds"),
        ({"kind": "interval", "every_seconds": 0}, "every_seconds"),
        ({"kind": "interval", "every_seconds": -5}, "every_seconds"),
        ({"kind": "interval", "every_seconds": 0.099}, "every_seconds"),
        ({"kind": "interval", "every_seconds": 0.1005}, "every_seconds"),
        ({"kind": "interval", "every_seconds": float("nan")}, "every_seconds"),
        ({"kind": "fixed_delay", "every_seconds": 0.0999}, "every_seconds"),
        ({"kind": "interval", "every_seconds": 10**12}, "every_seconds"),
        ({"kind": "interval", "every_seconds": 60, "anchor": datetime(2026, 1, 1)}, "anchor"),  # noqa: DTZ001 - refused
        ({"kind": "fixed_delay"}, "every_seconds"),
        ({"kind": "fixed_delay", "every_seconds": 0}, "every_seconds"),
        ({"kind": "once"}, "at"),
        ({"kind": "once", "at": datetime(2026, 1, 1)}, "at"),  # noqa: DTZ001 - refused
        ({"kind": "manual", "starts_at": datetime(2026, 1, 1)}, "starts_at"),  # noqa: DTZ001 - refused
        ({"kind": "manual", "starts_at": utc("2026-01-02"), "ends_at": utc("2026-01-01")}, "ends_at"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_by_its_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        build_trigger(TriggerSpec(**fields))
    assert refusal.value.field == field
    assert str(refusal.value)


@pytest.mark.parametrize(
    "name",
    ["", "Europe", "Europe/Atlantis", "europe/", "../etc/passwd", "/etc/localtime", "localtime", "posixrules",
     "right/UTC", "posix/Europe/Berlin", "a\x00b", "Europe/Berlin\n", "x" * 5000, "\udc80"],
)  # fmt: skip
def test_an_unknown_zone_is_refused_for_every_kind(name: str) -> None:
    for kind in TriggerKind:
        with pytest.raises(InvalidField) as refusal:
            build_trigger(TriggerSpec(kind=kind, timezone=name, cron_expression="* * * * *"))
        assert refusal.value.field == "timezone"


def test_a_refusal_survives_the_way_to_another_process() -> None:
    refusal = InvalidField("at", "%(count)d of 100%% is too much", {"count": 7})
    copy = pickle.loads(pickle.dumps(refusal))  # noqa: S301 - our own bytes
    assert (copy.field, copy.message, copy.params) == ("at", refusal.message, {"count": 7})
    assert str(copy) == "7 of 100% is too much"
