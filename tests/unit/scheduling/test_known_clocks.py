"""What a scheduler knows of clocks, in the order of their turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from scheduling.domain.misfire import CatchUp
from scheduling.domain.triggers.once import OnceTrigger
from scheduling.runtime.clock_reader import KnownClock
from scheduling.runtime.definitions import Definition
from scheduling.runtime.known_clocks import KnownClocks

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def clock(next_run_at: datetime) -> KnownClock:
    definition = Definition(
        trigger=OnceTrigger(next_run_at), timezone="UTC", catch_up=CatchUp.LATEST, grace=None, max_catch_up=1
    )
    return KnownClock(task_id=1, next_run_at=next_run_at, floor=NOON - SECOND, version=1, definition=definition)


def test_a_clock_that_was_put_off_is_not_taken_at_its_old_turn() -> None:
    known = KnownClocks()
    known.remember(clock(NOON))
    known.remember(clock(NOON + 5 * SECOND))
    assert known.take(NOON + SECOND) == []
    assert [each.next_run_at for each in known.take(NOON + 5 * SECOND)] == [NOON + 5 * SECOND]


def test_a_clock_that_comes_earlier_than_was_known_is_taken_then_and_once() -> None:
    known = KnownClocks()
    known.remember(clock(NOON + 5 * SECOND))
    known.remember(clock(NOON))
    assert [each.next_run_at for each in known.take(NOON)] == [NOON]
    assert known.take(NOON + 9 * SECOND) == []


def test_a_clock_that_is_read_again_unchanged_takes_no_second_turn() -> None:
    known = KnownClocks()
    for _ in range(3):
        known.remember(clock(NOON))
    assert len(known._order) == 1
    assert len(known.take(NOON)) == 1
