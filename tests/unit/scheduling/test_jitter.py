"""Jitter: the same for a task and a tick, spread over tasks, and never past the next tick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.domain.jitter import jitter_of

pytestmark = pytest.mark.unit

TICK = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@given(
    task_id=st.integers(1, 2**31 - 1),
    tick=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - made aware below
    jitter=st.integers(1, 10**6),
    gap=st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=400)),
)
def test_a_tick_starts_before_the_next_one_and_within_its_jitter(
    task_id: int, tick: datetime, jitter: int, gap: timedelta | None
) -> None:
    tick = tick.replace(tzinfo=UTC)
    later = jitter_of(task_id, tick, jitter, None if gap is None else tick + gap)
    assert timedelta(0) <= later < timedelta(seconds=jitter)
    assert gap is None or later < gap
    assert later == jitter_of(task_id, tick, jitter, None if gap is None else tick + gap)


def test_without_jitter_a_tick_starts_at_its_moment() -> None:
    assert jitter_of(7, TICK, 0, None) == timedelta(0)


def test_tasks_that_share_a_schedule_spread_over_the_whole_span() -> None:
    tenths = {int(jitter_of(task_id, TICK, 10, None).total_seconds()) for task_id in range(200)}
    assert tenths == set(range(10))


def test_one_task_does_not_start_equally_late_each_time() -> None:
    assert len({jitter_of(7, TICK + timedelta(minutes=n), 10, None) for n in range(20)}) > 15


def test_the_zone_in_which_a_tick_is_written_makes_no_difference() -> None:
    from zoneinfo import ZoneInfo

    assert jitter_of(7, TICK.astimezone(ZoneInfo("Asia/Tokyo")), 10, None) == jitter_of(7, TICK, 10, None)
