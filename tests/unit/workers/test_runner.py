"""What an attempt reports, for each way in which its handler can end."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from scheduling.domain.policies import Backoff, OnWorkerLost
from scheduling.domain.retry import RetryPolicy
from workers.domain.states import ExecutionState
from workers.engine.claim import Claimed
from workers.engine.complete import Report
from workers.handlers.base import (
    CancelMe,
    GiveUp,
    Handler,
    HandlerContext,
    HandlerError,
    HandlerParams,
    HandlerTimedOut,
    RetryIn,
    TryLater,
)
from workers.runtime.definitions import Definition
from workers.runtime.runner import make_context, run_attempt, stuck_report

pytestmark = pytest.mark.unit

RETRY = RetryPolicy(max_attempts=3, backoff=Backoff.FIXED, delay_seconds=7, max_delay_seconds=60)


class Does(Handler[HandlerParams]):
    """Does what it was made to do."""

    name = "does"
    label = "Does"
    Params = HandlerParams

    def __init__(self, work: Callable[[HandlerContext], Any]) -> None:
        self.work = work

    def run(self, context: HandlerContext, params: HandlerParams) -> Any:
        return self.work(context)


def definition(retry: RetryPolicy = RETRY, soft: float | None = None) -> Definition:
    return Definition(
        name="nightly",
        namespace="default",
        params={},
        retry=retry,
        kill_grace_seconds=10,
        soft_timeout_seconds=soft,
        on_worker_lost=OnWorkerLost.RETRY,
    )


def claimed(attempt: int = 1, losses: int = 0, postponed: int = 0) -> Claimed:
    return Claimed(
        instance_id=11,
        lease_id=22,
        scheduled_for=datetime(2026, 3, 29, 2, 30, tzinfo=UTC),
        namespace_id=1,
        task_id=1,
        task_version=1,
        handler="does",
        attempt=attempt,
        losses=losses,
        postponed=postponed,
        max_attempts=3,
        timeout_seconds=None,
        own_params=False,
        sort_key=datetime(2026, 3, 29, 2, 30, tzinfo=UTC),
    )


def context_of(claim: Claimed, what: Definition) -> HandlerContext:
    return make_context(
        claim, what, sink=lambda stream, text: None, connection_urls=lambda name: name, on_stuck=lambda: None
    )


def attempt(
    work: Callable[[HandlerContext], Any], claim: Claimed | None = None, what: Definition | None = None
) -> Report:
    claim, what = claim or claimed(), what or definition()
    return run_attempt(claim, what, Does(work), context_of(claim, what), {})


def raising(error: BaseException) -> Callable[[HandlerContext], Any]:
    def work(context: HandlerContext) -> None:
        raise error

    return work


def test_a_failure_is_tried_again_by_the_tasks_rule() -> None:
    report = attempt(raising(HandlerError("exit_code", "It ended with 75.", kinds=["75"])))
    assert (report.state, report.reason, report.retry_seconds) == (ExecutionState.FAILED, "exit_code", 7)


@pytest.mark.parametrize("word", ["exit_code", "75", "HandlerError"])
def test_a_failure_is_known_by_its_reason_its_kinds_and_its_class(word: str) -> None:
    error = HandlerError("exit_code", "It ended with 75.", kinds=["75"])
    stern = RetryPolicy(max_attempts=3, give_up_on=frozenset({word}))
    assert attempt(raising(error), what=definition(stern)).retry_seconds is None


def test_an_exception_that_escapes_a_handler_is_known_by_its_names() -> None:
    only = RetryPolicy(max_attempts=3, backoff=Backoff.FIXED, delay_seconds=7, retry_on=frozenset({"OSError"}))
    assert attempt(raising(ConnectionResetError()), what=definition(only)).retry_seconds == 7
    assert attempt(raising(KeyError()), what=definition(only)).retry_seconds is None


def test_a_time_out_is_a_kind_of_failure() -> None:
    stern = RetryPolicy(max_attempts=3, give_up_on=frozenset({"timed_out"}))
    assert attempt(raising(HandlerTimedOut())).retry_seconds == 7
    report = attempt(raising(HandlerTimedOut()), what=definition(stern))
    assert (report.state, report.retry_seconds) == (ExecutionState.TIMED_OUT, None)


def test_a_retry_that_was_asked_for_comes_when_it_was_asked_for_and_counts() -> None:
    report = attempt(raising(RetryIn(3600, "Not yet.")))
    assert (report.retry_seconds, report.counted, report.message) == (3600, True, "Not yet.")
    assert attempt(raising(RetryIn(3600)), claimed(attempt=3)).retry_seconds is None


def test_putting_off_does_not_count_whatever_the_attempts_left_are() -> None:
    report = attempt(raising(TryLater(60)), claimed(attempt=3))
    assert (report.retry_seconds, report.counted) == (60, False)


def test_attempts_that_were_lost_or_put_off_are_none_of_the_tasks_own() -> None:
    again = attempt(raising(HandlerError("exit_code", "It ended with 1.")), claimed(attempt=7, losses=1, postponed=4))
    assert again.retry_seconds == 7
    last = attempt(raising(HandlerError("exit_code", "It ended with 1.")), claimed(attempt=7, losses=1, postponed=3))
    assert last.retry_seconds is None


def test_giving_up_and_cancelling_itself_end_the_instance() -> None:
    report = attempt(raising(GiveUp("No such customer.")))
    assert (report.state, report.reason, report.retry_seconds) == (ExecutionState.FAILED, "gave_up", None)
    report = attempt(raising(CancelMe("A holiday.")))
    assert (report.state, report.reason, report.message) == (ExecutionState.CANCELLED, "cancelled", "A holiday.")


def test_the_wish_of_a_server_is_a_delay_of_its_rule() -> None:
    def busy(seconds: float) -> HandlerError:
        return HandlerError("unexpected_status", "503", kinds=["503", "5xx"], retry_after=seconds)

    assert attempt(raising(busy(20))).retry_seconds == 20
    assert attempt(raising(busy(3600))).retry_seconds == 60


def test_what_fails_because_it_was_cancelled_is_cancelled_and_what_fails_at_its_time_limit_is_not() -> None:
    def fails_when(ask: Callable[[HandlerContext], None]) -> Report:
        def work(context: HandlerContext) -> None:
            ask(context)
            raise HandlerError("broken_off", "It was in the middle of it.")

        return attempt(work)

    assert fails_when(HandlerContext.cancel).state is ExecutionState.CANCELLED
    assert fails_when(HandlerContext.expire).state is ExecutionState.FAILED


def test_success_after_the_soft_limit_says_so() -> None:
    what = definition(soft=0.01)

    def slow(context: HandlerContext) -> None:
        while not context.soft_expired:
            time.sleep(0.001)

    report = attempt(slow, what=what)
    assert report.state is ExecutionState.SUCCEEDED
    assert report.message == "It took longer than the 0.01 s after which its task warns."
    assert attempt(lambda context: None, what=definition(soft=3600)).message == ""


def test_what_cannot_be_stopped_is_reported_by_what_asked_it_to_end() -> None:
    claim, what = claimed(), definition()
    late, unwanted = context_of(claim, what), context_of(claim, what)
    late.expire()
    unwanted.cancel()
    report = stuck_report(claim, what, late)
    assert (report.state, report.retry_seconds) == (ExecutionState.TIMED_OUT, 7)
    assert "its thread could not be stopped" in report.message
    report = stuck_report(claim, what, unwanted)
    assert (report.state, report.retry_seconds) == (ExecutionState.CANCELLED, None)


class Unspeakable(Exception):
    def __str__(self) -> str:
        return 75  # type: ignore[return-value] # a mistake that handlers make


@pytest.mark.parametrize(
    "error",
    [
        Unspeakable(),
        HandlerError("exit_code", None),  # type: ignore[arg-type] # a mistake that handlers make
        CancelMe(None),  # type: ignore[arg-type] # likewise
    ],
)
def test_an_attempt_is_reported_however_odd_its_error_is(error: BaseException) -> None:
    report = attempt(raising(error))
    assert (report.state, report.reason, report.retry_seconds) == (ExecutionState.FAILED, "exception", 7)
    assert report.message
