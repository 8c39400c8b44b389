"""Whether and when the next attempt comes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.domain.policies import Backoff
from scheduling.domain.retry import Failure, RetryPolicy, exception_kinds

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


def test_a_list_of_delays_is_gone_through_and_its_last_one_goes_on() -> None:
    policy = RetryPolicy(max_attempts=5, backoff=Backoff.LIST, delays=(10, 60, 7200), max_delay_seconds=600)
    assert [policy.delay_after(n, chance=0.5) for n in (1, 2, 3, 4, 5)] == [10, 60, 7200, 7200, None]


def failed(*kinds: str, **over: Any) -> Failure:
    return Failure(kinds=frozenset(kinds), **over)


@pytest.mark.parametrize(
    ("retry_on", "give_up_on", "kinds", "again"),
    [
        ((), (), ("exit_code", "75"), True),
        (("75",), (), ("exit_code", "75"), True),
        (("75",), (), ("exit_code", "76"), False),
        (("5xx", "timed_out"), (), ("timed_out",), True),
        (("5xx", "timed_out"), (), ("unexpected_status", "503", "5xx"), True),
        (("5xx",), ("501",), ("unexpected_status", "501", "5xx"), False),
        ((), ("exit_code",), ("exit_code", "75"), False),
    ],
)
def test_kinds_of_failure_decide_whether_another_attempt_follows(
    retry_on: tuple[str, ...], give_up_on: tuple[str, ...], kinds: tuple[str, ...], again: bool
) -> None:
    policy = RetryPolicy(
        max_attempts=2,
        backoff=Backoff.FIXED,
        delay_seconds=7,
        retry_on=frozenset(retry_on),
        give_up_on=frozenset(give_up_on),
    )
    assert policy.delay_after_failure(failed(*kinds), 1, chance=0.5) == (7 if again else None)


def test_a_failure_that_cannot_end_otherwise_is_never_tried_again() -> None:
    policy = RetryPolicy(max_attempts=9, retry_on=frozenset({"exception"}))
    assert policy.delay_after_failure(failed("exception", retryable=False), 1, chance=0.5) is None


def test_work_that_asks_for_its_retry_gets_it_at_its_moment_within_its_attempts() -> None:
    policy = RetryPolicy(max_attempts=2, max_delay_seconds=5, retry_on=frozenset({"503"}))
    asked = failed("retry_asked", retry_in=86400.0)
    assert policy.delay_after_failure(asked, 1, chance=0.5) == 86400
    assert policy.delay_after_failure(asked, 2, chance=0.5) is None
    stern = RetryPolicy(max_attempts=2, give_up_on=frozenset({"retry_asked"}))
    assert stern.delay_after_failure(asked, 1, chance=0.5) is None


def test_the_wish_of_a_server_is_granted_up_to_the_longest_delay_and_for_kinds_that_are_tried_again() -> None:
    policy = RetryPolicy(max_attempts=2, max_delay_seconds=60, retry_on=frozenset({"503"}))
    assert policy.delay_after_failure(failed("503", retry_after=45.0), 1, chance=0.5) == 45
    assert policy.delay_after_failure(failed("503", retry_after=900.0), 1, chance=0.5) == 60
    assert policy.delay_after_failure(failed("429", retry_after=45.0), 1, chance=0.5) is None


def test_a_definition_from_before_kinds_of_failures_retries_on_every_failure() -> None:
    old = {"max_attempts": 3, "retry_backoff": "fixed", "retry_delay_seconds": 7, "retry_max_delay_seconds": 60}
    assert RetryPolicy.of(old) == RetryPolicy(
        max_attempts=3, backoff=Backoff.FIXED, delay_seconds=7, max_delay_seconds=60
    )


def test_an_exception_is_known_by_its_own_names_and_those_of_its_bases() -> None:
    class Busy(ConnectionError):
        pass

    kinds = exception_kinds(Busy())
    assert {"Busy", "ConnectionError", "OSError", "Exception"} <= kinds
    assert f"{__name__}.{Busy.__qualname__}" in kinds
    assert "object" not in kinds
