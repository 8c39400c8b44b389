"""Which ticks a change of the schedule passed over: counted as a whole, and looked at one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.domain.periods import Period, find_change, find_passed_over, ticks_of
from scheduling.domain.states import Reason
from scheduling.domain.triggers.interval import IntervalTrigger

pytestmark = pytest.mark.unit

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
#: Shared, so that schedules have ticks in common; some have none.
TRIGGERS = [None, *(IntervalTrigger(timedelta(seconds=seconds), BEGIN) for seconds in (1, 2, 5, 30))]


@st.composite
def histories(draw: st.DrawFn) -> list[Period]:
    """Periods as the database's triggers open them: undecided moments never go back, overlaps are short."""
    now, undecided = BEGIN, BEGIN
    periods = [Period(begins_at=BEGIN, enabled=True, trigger=draw(st.sampled_from(TRIGGERS)))]
    for version in range(2, draw(st.integers(2, 7))):
        now += timedelta(seconds=draw(st.integers(0, 40)))
        undecided = max(undecided, now - timedelta(seconds=draw(st.integers(0, 60))))
        anew = draw(st.booleans())
        near = anew and undecided >= now - timedelta(seconds=10)
        periods.append(
            Period(
                begins_at=undecided if near else now,
                took_over_at=now,
                enabled=draw(st.booleans()),
                trigger=draw(st.sampled_from(TRIGGERS)) if anew else periods[-1].trigger,
                undecided_after=undecided if anew else None,
                version=version,
            )
        )
    return periods


@given(histories())
def test_what_a_change_passed_over_is_what_looking_at_each_tick_finds(periods: list[Period]) -> None:
    last = periods[-1].ends_previous_at
    changes = range(1, len(periods))
    one_by_one: dict[int | None, list[tuple[datetime, Period]]] = {}
    for tick, owner in ticks_of(periods, start=BEGIN, end=last, limit=10_000):
        one_by_one.setdefault(find_change(tick, owner, periods), []).append((tick, periods[owner]))
    found = find_passed_over(periods, changes)
    assert found.keys() == one_by_one.keys() - {None}
    for index, passed in found.items():
        expected = one_by_one[index]
        latest, owner_of_latest = expected[-1]
        assert (passed.at, passed.since, passed.count) == (latest, expected[0][0], len(expected))
        assert passed.reason is (Reason.EDITED if owner_of_latest.enabled else Reason.PAUSED)


def test_a_tick_of_two_schedules_belongs_to_the_newer_one_and_is_not_passed_over() -> None:
    each_second, each_other = TRIGGERS[1], TRIGGERS[2]
    seconds = [BEGIN + timedelta(seconds=number) for number in range(10)]
    old = Period(begins_at=BEGIN, enabled=True, trigger=each_second)
    new = Period(
        begins_at=seconds[3], took_over_at=seconds[8], enabled=True, trigger=each_other, undecided_after=seconds[3]
    )
    ticks = ticks_of([old, new], start=BEGIN, end=seconds[8], limit=100)
    assert [tick for tick, _ in ticks] == seconds[1:9]
    assert {tick for tick, owner in ticks if owner == 1} == {seconds[4], seconds[6], seconds[8]}
    found = find_passed_over([old, new], [1])[1]
    assert (found.at, found.since, found.count) == (seconds[7], seconds[5], 2)
