"""What a function says about how to go on, in this process and from one of its own."""

import math
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.handlers import example_tasks
from tests.handlers.http_server import Server
from tests.handlers.support import MemoryLog, make_context, start
from workers.handlers.base import CancelMe, GiveUp, Handler, HandlerCancelled, HandlerError, RetryIn, TryLater
from workers.handlers.http.handler import HttpHandler
from workers.handlers.python import PythonHandler

PYTHON: Handler[Any] = PythonHandler()
HTTP: Handler[Any] = HttpHandler()

both = pytest.mark.parametrize("function", ["asks_for", pytest.param("isolated_asks_for", marks=pytest.mark.processes)])


def raised(function: str, outcome: str, log: MemoryLog | None = None) -> BaseException:
    name = f"{example_tasks.__name__}.{function}"
    error = start(PYTHON, make_context(log), function=name, kwargs={"outcome": outcome}).exception(30)
    assert error is not None
    return error


@both
def test_a_function_asks_for_its_next_attempt_at_a_moment_of_its_own(function: str, log: MemoryLog) -> None:
    error = raised(function, "retry", log)
    assert isinstance(error, HandlerError)
    assert (error.reason, error.message, error.result) == (
        "retry_asked",
        "The file is not there yet.",
        {"looked": 3},
    )
    assert (error.retry_in, error.counted, error.retryable) == (30.0, True, True)
    # What it was raised from is not lost.
    assert "ZeroDivisionError" in log.text("stderr")


@both
def test_a_function_puts_itself_off_without_an_attempt_being_counted(function: str) -> None:
    error = raised(function, "later")
    assert isinstance(error, HandlerError)
    assert (error.reason, error.retry_in, error.counted) == ("put_off", 300.0, False)


@both
def test_a_function_gives_up(function: str) -> None:
    error = raised(function, "give up")
    assert isinstance(error, HandlerError)
    assert (error.reason, error.message, error.retryable) == ("gave_up", "There is no such customer.", False)


@both
def test_a_function_ends_as_cancelled(function: str) -> None:
    error = raised(function, "cancel")
    assert isinstance(error, HandlerCancelled)
    assert error.message == "Nothing to do on a holiday."


@both
def test_an_exception_is_known_by_its_names_and_those_of_its_bases(function: str) -> None:
    error = raised(function, "busy")
    assert isinstance(error, HandlerError)
    assert {"Busy", f"{example_tasks.__name__}.Busy", "ConnectionError", "OSError"} <= error.kinds


def test_a_delay_out_of_range_is_an_error_that_says_the_range() -> None:
    error = raised("asks_for", "never")
    assert isinstance(error, HandlerError)
    assert error.reason == "exception"
    assert error.message == ("ValueError: RetryIn takes seconds, more than 0 and at most 2592000 (30 days), not 0.")


@pytest.mark.parametrize("kind", [RetryIn, TryLater])
@pytest.mark.parametrize("seconds", [0, -1, 30 * 86400 + 1, math.nan, math.inf, True, "soon", timedelta(days=31)])
def test_only_delays_of_up_to_thirty_days_can_be_asked_for(kind: Any, seconds: Any) -> None:
    with pytest.raises(ValueError, match="more than 0 and at most 2592000"):
        kind(seconds)


def test_the_longest_and_the_shortest_delay_can_be_asked_for() -> None:
    assert RetryIn(timedelta(days=30)).retry_in == 30 * 86400
    assert TryLater(0.001).retry_in == 0.001


def test_outcomes_are_what_handlers_raise_anyway() -> None:
    assert issubclass(RetryIn, HandlerError)
    assert issubclass(GiveUp, HandlerError)
    assert issubclass(CancelMe, HandlerCancelled)


@pytest.mark.processes
def test_a_function_in_a_process_of_its_own_learns_that_its_soft_limit_has_passed() -> None:
    context = make_context(seconds=60, soft_deadline=time.monotonic() + 0.1)
    future = start(PYTHON, context, function=f"{example_tasks.__name__}.isolated_soft")
    assert future.result(30) is True


@pytest.mark.parametrize(
    ("code", "said", "seconds"),
    [
        (503, "120", 120.0),
        (429, "7", 7.0),
        (503, "Sun, 29 Mar 2026 02:31:00 GMT", 60.0),
        (503, "Sun, 29 Mar 2026 02:29:00 GMT", None),
        (503, "0", None),
        (503, "soon", None),
        (503, "-5", None),
        (503, "99999999999999999999", None),
        (503, "", None),
        (500, "120", None),
    ],
)
def test_a_server_may_say_when_it_wants_to_be_asked_again(
    server: Server, code: int, said: str, seconds: float | None
) -> None:
    future = start(HTTP, make_context(), url=server.url(f"/busy?code={code}"), headers={"X-Retry-After": said})
    error = future.exception(30)
    assert isinstance(error, HandlerError)
    assert error.retry_after == seconds
    assert error.kinds >= {str(code), f"{code // 100}xx"}


def test_the_documented_function_ends_as_the_document_says(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "extend.md").read_text()
    begin = text.index("# bank/tasks.py")
    exec(compile(text[begin : text.index("\n```", begin)], "tasks.py", "exec"), {"__name__": "bank.tasks"})  # noqa: S102 - our own document

    def ended(day: int, folder: Path) -> Any:
        context = make_context(scheduled_for=datetime(2026, 3, day, 6, tzinfo=UTC))
        future = start(PYTHON, context, function="bank.load_statement", kwargs={"folder": str(folder)})
        return future.exception(30) or future.result()

    sunday, monday = 29, 30
    assert ended(sunday, tmp_path).message == "Banks write no statements on a Sunday."
    assert ended(monday, tmp_path / "nowhere").reason == "gave_up"
    assert ended(monday, tmp_path).message == "2026-03-30.csv has not come yet."
    (tmp_path / "2026-03-30.csv").write_bytes(b"12 \xe2\x82")
    assert ended(monday, tmp_path).retry_in == 30
    (tmp_path / "2026-03-30.csv").write_text("12 \u20ac\n")
    assert ended(monday, tmp_path) == 1
