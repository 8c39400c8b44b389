"""When the next attempt comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.domain.policies import Backoff
from scheduling.domain.retry import RetryPolicy

pytestmark = pytest.mark.unit


def test_by_default_there_is_no_second_attempt() -> None:
    assert RetryPolicy().delay_after(1, chance=0.5) is None


def test_the_first_attempt_counts() -> None:
    policy = RetryPolicy(max_attempts=3, backoff=Backoff.FIXED, delay_seconds=7)
    assert [policy.delay_after(n, chance=0.5) for n in (1, 2, 3)] == [7, 7, None]


@given(
    attempt=st.integers(1, 5000),
    delay=st.floats(0, 1e6),
    longest=st.floats(0, 1e6),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_exponential_delays_lie_between_nothing_and_the_doubled_delay_or_the_longest(
    attempt: int, delay: float, longest: float, chance: float
) -> None:
    policy = RetryPolicy(max_attempts=5001, delay_seconds=delay, max_delay_seconds=longest)
    waiting = policy.delay_after(attempt, chance=chance)
    assert waiting is not None
    assert 0 <= waiting <= min(longest, delay * 2.0 ** min(attempt - 1, 62))


def test_jitter_uses_the_whole_range() -> None:
    policy = RetryPolicy(max_attempts=9, delay_seconds=10)
    assert policy.delay_after(3, chance=0.0) == 0
    assert policy.delay_after(3, chance=0.5) == 20
