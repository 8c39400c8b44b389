"""The listener, whose waits end when they should."""

from __future__ import annotations

import select

import pytest

from scheduling import listen
from scheduling.listen import Listener


class OversleepingKernel:
    """A clock, and a select that ends as late as Linux may end one: by a thousandth of its time-out."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.selects = 0

    def monotonic(self) -> float:
        return self.now

    def select(self, reading: object, writing: object, failing: object, timeout: float) -> tuple[list[int], ...]:
        self.selects += 1
        self.now += timeout * 1.001
        return [], [], []


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.5, 3.6, 15.0, 600.0])
def test_a_long_wait_is_as_punctual_as_a_short_one(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    kernel = OversleepingKernel()
    listener = Listener("test", [])
    # Without a connection, as long as the server is down, it waits all the same.
    listener._retry_at = float("inf")
    monkeypatch.setattr(listen, "time", kernel)
    monkeypatch.setattr(listen, "select", kernel)
    began = kernel.now
    assert listener.wait(seconds) == {}
    assert 0 <= kernel.now - began - seconds <= 0.0001 + 1e-9
    assert kernel.selects <= 4


def test_an_interruption_ends_a_long_wait_and_is_not_forgotten() -> None:
    listener = Listener("test", [])
    listener._retry_at = float("inf")
    listener.interrupt()
    listener.wait(3600)
    assert not select.select([listener._reader], [], [], 0)[0]
