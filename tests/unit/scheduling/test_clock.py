"""The clock that follows the database's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.domain import clock as clock_module
from scheduling.domain.clock import DRIFT, DatabaseClock

#: What a monotonic clock shows at the beginning.
BEGAN = 5_000.0

SECONDS = st.integers(0, 200_000).map(lambda microseconds: microseconds / 1e6)

#: For each question the pause before it, the way there and the way back.
TRIPS = st.lists(st.tuples(st.integers(1, 30), SECONDS, SECONDS), min_size=1, max_size=12)


class Machine:
    """This machine's monotonic clock, and a database whose clock is so far ahead of it."""

    def __init__(self, ahead: float = 1.7e9) -> None:
        self.now, self.ahead = BEGAN, ahead

    def monotonic(self) -> float:
        return self.now

    def ask(self, clock: DatabaseClock, there: float, back: float) -> None:
        """Ask the database for its time, over a line that takes so long."""
        asked_at = self.now
        self.now += there
        told = datetime.fromtimestamp(self.now + self.ahead, UTC)
        self.now += back
        clock.sync(told, asked_at=asked_at, answered_at=self.now)

    def error(self, clock: DatabaseClock) -> float:
        return abs(clock.now().timestamp() - (self.now + self.ahead))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose time passes only while somebody asks."""
    made = Machine()
    monkeypatch.setattr(clock_module, "time", made)
    return made


@given(TRIPS)
def test_no_answer_however_slow_makes_the_clock_worse_than_the_quickest_before_it(
    trips: list[tuple[float, float, float]],
) -> None:
    clock, machine = DatabaseClock(), Machine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock_module, "time", machine)
        best, at = float("inf"), BEGAN
        for pause, there, back in trips:
            machine.now += pause
            machine.ask(clock, there, back)
            # What was known drifts, to both sides.
            best, at = min(best + 2 * DRIFT * (machine.now - at), there + back), machine.now
            assert machine.error(clock) <= best / 2 + 1e-5


def test_a_slow_answer_after_a_quick_one_leaves_the_clock_right(machine: Machine) -> None:
    clock = DatabaseClock()
    machine.ask(clock, 0.0001, 0.0001)
    machine.now += 1
    machine.ask(clock, 0.05, 0.0001)
    assert machine.error(clock) < 0.0005


@pytest.mark.parametrize("step", [-3600.0, -0.5, 0.5, 3600.0])
def test_a_database_whose_clock_was_set_is_followed_at_once(machine: Machine, step: float) -> None:
    clock = DatabaseClock()
    machine.ask(clock, 0.001, 0.001)
    machine.now += 10
    machine.ahead += step
    machine.ask(clock, 0.01, 0.002)
    assert machine.error(clock) <= 0.006 + 1e-5


def test_before_it_has_heard_of_the_database_it_shows_this_machines_time() -> None:
    before = datetime.now(UTC)
    assert before <= DatabaseClock().now() <= datetime.now(UTC)
