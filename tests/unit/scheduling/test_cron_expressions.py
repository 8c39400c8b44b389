"""What cron expressions mean and which are refused: our own statement of what we rely on in croniter."""

from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.domain.errors import InvalidField
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.cron_expression import _days, _numbers_of, parse_cron
from scheduling.domain.triggers.registry import TriggerSpec, build_trigger, next_fires

pytestmark = pytest.mark.unit

steady = settings(deadline=None, derandomize=True, database=None)


def cron(expression: str, hash_id: str = "") -> Trigger:
    return build_trigger(TriggerSpec(kind="cron", cron_expression=expression, hash_id=hash_id))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        # Five, six and seven fields.
        ("*/15 9-17 * * 1-5", "2026-01-02T17:40", ["2026-01-02T17:45", "2026-01-05T09:00"]),
        ("*/20 * * * * *", "2026-01-01T00:00:05", ["2026-01-01T00:00:20", "2026-01-01T00:00:40"]),
        ("30 0 12 * * ?", "2026-01-01", ["2026-01-01T12:00:30", "2026-01-02T12:00:30"]),
        ("0 0 12 ? * 2", "2026-01-01", ["2026-01-06T12:00"]),
        ("0 0 0 1 1 ? 2030-2031", "2026-01-01", ["2030-01-01", "2031-01-01"]),
        ("0 0 0 1 1 ? 2099", "2026-01-01", ["2099-01-01"]),
        ("0 0 0 1 1 ? 2030/10", "2026-01-01", ["2030-01-01", "2040-01-01"]),
        # Day of month or day of week, if both are given: the 13th, and each Friday.
        ("0 0 13 * 5", "2026-01-01", ["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]),
        ("0 0 */10 * 1", "2026-01-01", ["2026-01-05", "2026-01-11", "2026-01-12"]),
        ("0 0 31 2 1", "2026-01-27", ["2026-02-02", "2026-02-09"]),
        # Names, in any case, and both Sundays.
        ("0 0 1 JAN,jul *", "2026-01-01", ["2026-07-01", "2027-01-01"]),
        ("0 0 * * Sun", "2026-01-01", ["2026-01-04"]),
        ("0 0 * * 0", "2026-01-01", ["2026-01-04"]),
        ("0 0 * * 7", "2026-01-01", ["2026-01-04"]),
        ("0 0 * * fri-mon", "2026-01-02", ["2026-01-03", "2026-01-04", "2026-01-05", "2026-01-09"]),
        # Ranges that wrap, steps over ranges, steps from a number, steps wider than the field.
        ("0 22-1 * * *", "2026-01-01T22:00", ["2026-01-01T23:00", "2026-01-02", "2026-01-02T01:00"]),
        ("10-40/15 3 * * *", "2026-01-01T03:25", ["2026-01-01T03:40", "2026-01-02T03:10"]),
        ("50/5 3 * * *", "2026-01-01", ["2026-01-01T03:50", "2026-01-01T03:55", "2026-01-02T03:50"]),
        ("59/15 3 * * *", "2026-01-01", ["2026-01-01T03:59", "2026-01-02T03:59"]),
        ("*/40 3 * * *", "2026-01-01", ["2026-01-01T03:00", "2026-01-01T03:40", "2026-01-02T03:00"]),
        # A range of one value is that value, as in Vixie cron; croniter by itself takes it for the whole field.
        ("5-5 3 * * *", "2026-01-01", ["2026-01-01T03:05", "2026-01-02T03:05"]),
        # The last day of the month, and with others.
        ("0 0 L * *", "2026-01-31", ["2026-02-28", "2026-03-31", "2026-04-30"]),
        ("0 0 L 2 *", "2027-01-01", ["2027-02-28", "2028-02-29"]),
        ("0 0 15,L * *", "2026-02-01", ["2026-02-15", "2026-02-28", "2026-03-15"]),
        # The nth weekday and the last one; no fifth one in most months.
        ("0 0 * * mon#2", "2026-01-01", ["2026-01-12", "2026-02-09"]),
        ("0 0 * * 5#5", "2026-01-01", ["2026-01-30", "2026-05-29"]),
        ("0 0 * * L5", "2026-01-01", ["2026-01-30", "2026-02-27"]),
        # The working day nearest to the 15th (a Sunday in February and March 2026).
        ("0 0 15W * *", "2026-02-01", ["2026-02-16", "2026-03-16", "2026-04-15"]),
        # Days that only some months and years have.
        ("0 0 31 * *", "2026-01-31", ["2026-03-31", "2026-05-31", "2026-07-31", "2026-08-31"]),
        ("0 0 29 2 *", "2026-01-01", ["2028-02-29", "2032-02-29"]),
        ("0 0 29 2 *", "2096-03-01", ["2104-02-29"]),
        # Aliases.
        ("@hourly", "2026-01-01T00:30", ["2026-01-01T01:00"]),
        ("@daily", "2026-01-01", ["2026-01-02"]),
        ("@midnight", "2026-01-01", ["2026-01-02"]),
        ("@weekly", "2026-01-01", ["2026-01-04"]),
        ("@monthly", "2026-01-01", ["2026-02-01"]),
        (" @Yearly ", "2026-01-01", ["2027-01-01"]),
        ("@annually", "2026-01-01", ["2027-01-01"]),
    ],
)  # fmt: skip
def test_the_table_of_expressions(expression: str, after: str, expected: list[str]) -> None:
    assert next_fires(cron(expression), utc(after), len(expected)) == [utc(text) for text in expected]


def test_an_expression_whose_years_are_over_is_valid_and_never_fires_again() -> None:
    trigger = cron("0 0 0 1 1 ? 2020")
    assert trigger.next_after(utc("2019-06-01")) == utc("2020-01-01")
    assert trigger.next_after(utc("2026-01-01")) is None


def test_a_fraction_of_a_second_belongs_to_the_second_that_it_follows() -> None:
    trigger = cron("* * * * * *")
    assert trigger.next_after(utc("2026-01-01T00:00:00.000001")) == utc("2026-01-01T00:00:01")
    assert trigger.next_after(utc("2025-12-31T23:59:59.999999")) == utc("2026-01-01T00:00:00")


def test_h_gives_each_task_its_own_minute_and_keeps_it() -> None:
    minutes = {name: cron("H * * * *", name).next_after(utc("2026-01-01")) for name in map(str, range(200))}
    assert minutes["7"] == cron("H  * * * *", "7").next_after(utc("2026-01-01"))
    assert len(set(minutes.values())) > 50
    # A value to hold on to: a change here would move the tasks of everyone who upgrades.
    assert next_fires(cron("H H(0-7) * * *", "task-1"), utc("2026-01-01"), 1) == [utc("2026-01-01T07:31")]


def test_h_with_a_step_fires_at_that_distance() -> None:
    first, second, third = next_fires(cron("H/20 * * * *", "task-1"), utc("2026-01-01"), 3)
    assert second - first == third - second == timedelta(minutes=20)


def test_an_alias_does_not_depend_on_the_id_of_the_task() -> None:
    assert cron("@daily", "task-1") is cron("@daily", "task-2")


def test_tasks_without_h_share_one_trigger_whatever_their_ids() -> None:
    assert cron("0 9 * * thu", "1") is cron("0 9 * * thu", "2")
    assert cron("H 9 * * thu", "1") is not cron("H 9 * * thu", "2")


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "Enter a cron expression."),
        ("  \t ", "Enter a cron expression."),
        ("* * * *", "this one has 4"),
        ("* * * * * * * *", "this one has 8"),
        ("60 * * * *", "minute field cannot be “60”"),
        ("* 24 * * *", "hour field cannot be “24”"),
        ("* * 0 * *", "day-of-month field cannot be “0”"),
        ("* * 32 * *", "day-of-month field cannot be “32”"),
        ("* * * 13 *", "month field cannot be “13”"),
        ("* * * jan-foo *", "month field cannot be “jan-foo”"),
        ("* * * * 8", "day-of-week field cannot be “8”"),
        ("* * * * mon#6", "day-of-week field cannot be “mon#6”"),
        ("61 * * * * *", "second field cannot be “61”"),
        ("0 0 0 1 1 ? 1969", "year field cannot be “1969”"),
        ("0 0 0 1 1 ? 2100", "year field cannot be “2100”"),
        ("*/0 * * * *", "minute field cannot be “*/0”"),
        ("1,,2 * * * *", "minute field cannot be “1,,2”"),
        ("-1 * * * *", "minute field cannot be “-1”"),
        ("? * * * *", "minute field cannot be “?”"),
        ("* ? * * *", "hour field cannot be “?”"),
        ("* * L-3 * *", "day-of-month field cannot be “l-3”"),
        ("* * * * 1,2#2", "day-of-week field cannot be"),
        ("0\u00a00 1 1 * 1", "minute field cannot be"),
        ("\u0661 * * * *", "minute field cannot be"),
        ("hello world and all that", "field cannot be “hello”"),
        ("@reboot", "“@reboot” cannot be used"),
        ("@often", "“@often” cannot be used"),
        ("R * * * *", "random"),
        ("R(0-5)/2 * * * *", "random"),
        ("H * * * *", "no id to draw it from"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("0 0 0 29 2 ? 2023", "never fires"),
        ("* " * 1000, "longer than"),
        ("9" * 900 + " * * * *", "minute field cannot be"),
    ],
)  # fmt: skip
def test_a_wrong_expression_is_refused_with_its_reason(expression: str, says: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        cron(expression)
    assert refusal.value.field == "cron_expression"
    assert says in str(refusal.value)


@steady
@given(st.text(alphabet="0123456789*/,-?LWHR#@ajnsumo()\u00a0\x00 ", max_size=30), st.sampled_from(["", "id"]))
def test_any_text_is_an_expression_or_a_refusal(text: str, hash_id: str) -> None:
    try:
        trigger = cron(text, hash_id)
    except InvalidField as error:
        refusal = error
    else:
        fire = trigger.next_after(utc("1999-01-01"))
        assert fire is None or fire > utc("1999-01-01")
        return
    assert refusal.field == "cron_expression"
    assert str(refusal)


def one_field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.tuples(number, number).filter(lambda bounds: bounds[0] < bounds[1])
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.integers(2, high).map("*/{}".format),
        pair.map(lambda bounds: f"{bounds[0]}-{bounds[1]}"),
        st.tuples(pair, st.integers(1, 9)).map(lambda parts: f"{parts[0][0]}-{parts[0][1]}/{parts[1]}"),
        st.lists(number, min_size=2, max_size=3, unique=True).map(lambda found: ",".join(map(str, found))),
    )


five_fields = st.tuples(
    one_field(0, 59),
    one_field(0, 23),
    st.one_of(one_field(1, 28), st.just("L")),
    one_field(1, 12),
    one_field(0, 6),
).map(" ".join)
six_fields = st.tuples(one_field(0, 59), five_fields).map(" ".join)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@steady
@given(st.one_of(five_fields, six_fields), moments)
def test_in_utc_the_fires_are_those_of_croniter(expression: str, moment: datetime) -> None:
    theirs = croniter(expression, moment, datetime, second_at_beginning=True)
    expected = [theirs.get_next() for _ in range(5)]
    assert next_fires(cron(expression), moment, 5) == expected


@steady
@given(
    st.one_of(five_fields, six_fields),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana"]),
    st.sampled_from(["run_after_gap", "skip", "shift"]),
    st.sampled_from(["first", "second", "both"]),
    moments,
    st.timedeltas(timedelta(0), timedelta(days=400)),
)
def test_the_next_fire_is_strictly_later_and_nothing_lies_between(
    expression: str, zone: str, gap: str, fold: str, moment: datetime, earlier_by: timedelta
) -> None:
    trigger = build_trigger(
        TriggerSpec(kind="cron", cron_expression=expression, timezone=zone, dst_gap=gap, dst_fold=fold)
    )
    fire = trigger.next_after(moment)
    assert fire is not None
    assert fire > moment
    assert fire.tzinfo is UTC
    assert trigger.next_after(fire - timedelta(microseconds=1)) == fire
    assert trigger.count_between(moment, fire, cap=10) == 1
    from_before = trigger.next_after(moment - earlier_by)
    assert from_before is not None
    assert from_before == fire if from_before > moment else from_before < fire


def test_what_many_expressions_share_is_read_once() -> None:
    for cache in (_numbers_of, _days):
        # Others may have read some of it.
        cache.cache_clear()
    parse_cron("31 4 * * mon-thu")
    read, days = _numbers_of.cache_info().misses, _days.cache_info().misses
    for minute in range(32, 40):
        parse_cron(f"{minute} 4 * * mon-thu")
    assert _numbers_of.cache_info().misses == read + 8, "each new minute, and nothing else"
    assert _days.cache_info().misses == days
