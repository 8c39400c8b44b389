"""Prefetch: short work is claimed ahead, and long work never is, so that no worker sits on what others could run."""

from __future__ import annotations

from workers.runtime.prefetch import MOST_AHEAD, SHORT_SECONDS, Prefetch


def test_nothing_is_claimed_ahead_before_anything_was_seen() -> None:
    assert Prefetch().ahead(8) == 0


def test_short_work_is_claimed_ahead_within_a_bound() -> None:
    prefetch = Prefetch()
    for _ in range(100):
        prefetch.observe(0.0001)
    assert 8 < prefetch.ahead(8) <= MOST_AHEAD


def test_work_of_a_second_is_not_hoarded_even_after_much_that_was_short() -> None:
    prefetch = Prefetch()
    for _ in range(1000):
        prefetch.observe(0.0001)
    prefetch.observe(1.0)
    assert prefetch.ahead(8) == 0
    prefetch.observe(SHORT_SECONDS)
    assert prefetch.ahead(8) == 0
