"""The python handler: functions in this process and in processes of their own."""

import contextlib
import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.handlers import example_tasks
from tests.handlers.support import MemoryLog, make_context, start, wait_until
from workers.functions import registered_functions
from workers.handlers.base import Handler, HandlerCancelled, HandlerContext, HandlerError, HandlerTimedOut
from workers.handlers.python import PythonHandler
from workers.handlers.streams import install_stream_router, routed_to

PYTHON: Handler[Any] = PythonHandler()
MODULE = example_tasks.__name__


def run(context: HandlerContext, **params: Any) -> Any:
    """Run in a thread, which like a worker's has no part in this thread's database connection."""
    return start(PYTHON, context, **params).result(30)


def name(function: str) -> str:
    return f"{MODULE}.{function}"


def failure(function: str, log: MemoryLog | None = None, **kwargs: Any) -> HandlerError:
    with pytest.raises(HandlerError) as caught:
        run(make_context(log), function=name(function), kwargs=kwargs)
    return caught.value


@contextlib.contextmanager
def routing() -> Iterator[None]:
    """Route as a worker does. Not a fixture, because pytest changes sys.stdout between fixtures and tests."""
    uninstall = install_stream_router()
    try:
        yield
    finally:
        uninstall()


# In this process


def test_a_function_is_called_with_its_arguments() -> None:
    assert run(make_context(), function=name("add"), kwargs={"a": 1}) == 11
    assert run(make_context(), function=name("add"), kwargs={"a": 1, "b": 2}) == 3


def test_arguments_arrive_as_their_annotations_say() -> None:
    kwargs = {"day": "2026-03-29", "names": ["x"], "extra": [1]}

    result = run(make_context(), function="example.day", kwargs=kwargs)

    assert result == {"type": "date", "year": 2026, "names": ["x"], "more": {"extra": [1]}}


def test_plain_print_and_logging_go_to_the_execution(log: MemoryLog) -> None:
    context = make_context(log)

    with routing():
        assert run(context, function=name("chatty")) == "nightly"

    assert log.text("stdout") == "printed\nas bytes\n"
    assert log.text("stderr") == "to stderr\n"
    assert log.text("log") == (f"INFO {MODULE}: logged here\nWARNING from the context\nprogress: 3/10 (30 %) rows\n")
    assert context.last_progress is not None
    assert context.last_progress.done == 3


def test_executions_that_run_at_once_do_not_mix_their_output() -> None:
    logs = [MemoryLog(), MemoryLog()]
    together = threading.Barrier(2)

    def work(log: MemoryLog) -> None:
        with routed_to(make_context(log)):
            for number in range(100):
                together.wait(30)
                print(f"{id(log)}:{number}")  # noqa: T201 - what the test is about

    threads = [threading.Thread(target=work, args=[log]) for log in logs]
    with routing():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    for log in logs:
        assert log.text("stdout") == "".join(f"{id(log)}:{number}\n" for number in range(100))


def test_outside_of_executions_everything_goes_where_it_went_before() -> None:
    captured = io.StringIO()
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with contextlib.redirect_stdout(captured):
        original = sys.stdout
        uninstall = install_stream_router()
        print("hello")  # noqa: T201 - what the test is about
        again = install_stream_router()
        again()
        assert sys.stdout is not original
        uninstall()
        assert sys.stdout is original

    assert captured.getvalue() == "hello\n"
    assert (root.level, list(root.handlers)) == before


def test_an_exception_is_a_failure_with_its_traceback_in_the_log(log: MemoryLog) -> None:
    error = failure("divide", log, by=0)

    assert error.reason == "exception"
    assert error.message == "ZeroDivisionError: division by zero"
    assert error.result == {"exception": "ZeroDivisionError"}
    assert "example_tasks.py" in log.text("stderr")
    assert "ZeroDivisionError: division by zero" in log.text("stderr")
    # The traceback begins with the function, not with our machinery.
    assert "function_call.py" not in log.text("stderr")


def test_a_function_may_say_how_it_failed() -> None:
    error = failure("refuse")

    assert (error.reason, error.result, error.retryable) == ("too_early", {"looked": 3}, False)


def test_a_function_that_notices_the_cancelling_is_cancelled(log: MemoryLog) -> None:
    context = make_context(log)
    future = start(PYTHON, context, function=name("patient"))
    log.wait_for("waiting")

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)


def test_a_function_that_returns_too_late_has_timed_out() -> None:
    with pytest.raises(HandlerTimedOut):
        run(make_context(seconds=0.0), function=name("add"), kwargs={"a": 1})


# In a process of its own


@pytest.mark.processes
def test_an_isolated_function_runs_in_another_process() -> None:
    result = run(make_context(), function=name("isolated_add"), kwargs={"a": 1, "day": "2026-03-29"})

    assert result["sum"] == 30
    assert result["pid"] != os.getpid()


@pytest.mark.processes
def test_an_isolated_function_prints_logs_and_knows_its_execution(log: MemoryLog) -> None:
    context = make_context(log, attempt=4)
    result = run(context, function=name("isolated_chatty"))

    assert result == "nightly 4 2026-03-29T02:30:00+00:00 key-of-11"
    assert log.text("stdout") == "printed\nfrom a subprocess\n"
    assert log.text("stderr") == "to stderr\n"
    assert log.text("log") == (
        f"INFO {MODULE}: logged here\nWARNING {MODULE}: once\nWARNING from the context\nprogress: 3/10 (30 %) rows\n"
    )
    assert context.last_progress is not None
    assert context.last_progress.total == 10


@pytest.mark.processes
def test_an_exception_in_another_process_is_the_same_failure(log: MemoryLog) -> None:
    error = failure("isolated_divide", log, by=0)

    assert (error.reason, error.message) == ("exception", "ZeroDivisionError: division by zero")
    assert "example_tasks.py" in log.text("stderr")


@pytest.mark.processes
def test_an_isolated_function_may_say_how_it_failed() -> None:
    error = failure("isolated_refuse")

    assert (error.reason, error.result, error.retryable) == ("too_early", {"looked": 3}, False)


@pytest.mark.processes
def test_an_isolated_function_gets_the_urls_of_connections() -> None:
    context = make_context(connection_urls={"main": "sqlite://"}.__getitem__)

    assert run(context, function=name("isolated_url"), kwargs={"name": "main"}) == "sqlite://"
    with pytest.raises(HandlerError, match="no connection named 'gone'") as caught:
        run(context, function=name("isolated_url"), kwargs={"name": "gone"})
    assert caught.value.reason == "unknown_connection"


@pytest.mark.processes
def test_cancelling_stops_a_busy_loop_and_lets_it_clean_up(log: MemoryLog, tmp_path: Path) -> None:
    context = make_context(log)
    path = tmp_path / "cleaned"
    future = start(PYTHON, context, function=name("isolated_loop"), kwargs={"path": str(path)})
    log.wait_for("looping")

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    assert path.read_text() == "cleaned up"


@pytest.mark.processes
def test_the_deadline_stops_a_busy_loop(tmp_path: Path) -> None:
    with pytest.raises(HandlerTimedOut):
        run(
            make_context(seconds=1.5),
            function=name("isolated_loop"),
            kwargs={"path": str(tmp_path / "cleaned")},
        )


@pytest.mark.processes
def test_a_function_that_ignores_the_request_is_killed_with_its_children(tmp_path: Path) -> None:
    context = make_context(kill_grace_seconds=0.2)
    path = tmp_path / "pids"
    future = start(PYTHON, context, function=name("isolated_stubborn"), kwargs={"path": str(path)})
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), "the function runs")

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    for pid in map(int, path.read_text().split()):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.processes
@pytest.mark.parametrize(
    ("function", "kwargs", "how"),
    [
        ("isolated_crash", {}, "by the signal SIGSEGV"),
        ("isolated_exit", {"code": 7}, "with exit code 7"),
        ("isolated_exit", {"code": 0}, "with exit code 0"),
    ],
)
def test_a_process_that_ends_without_a_word_is_a_failure(function: str, kwargs: dict[str, Any], how: str) -> None:
    error = failure(function, **kwargs)

    assert error.reason == "process_ended"
    assert error.message == f"The process of {name(function)} ended {how}."


@pytest.mark.processes
@pytest.mark.parametrize(
    ("kind", "reason"),
    [("nul", "result_has_nul"), ("set", "result_not_json"), ("big", "result_too_large")],
)
def test_a_result_that_cannot_be_sent_fails_its_execution(kind: str, reason: str) -> None:
    assert failure("isolated_result", kind=kind).reason == reason


# What can be saved, and what has changed since


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, "params.function: Field required"),
        (
            {"function": "example.dya"},
            "params.function: There is no registered function named example.dya. Did you mean example.day?",
        ),
        ({"function": name("add")}, "params.kwargs.a: The function needs this argument"),
        (
            {"function": name("add"), "kwargs": {"a": "many"}},
            "params.kwargs.a: Input should be a valid integer",
        ),
        (
            {"function": name("add"), "kwargs": {"a": 1, "bb": 2}},
            "params.kwargs.bb: The function has no such argument; did you mean b?",
        ),
        (
            {"function": name("chatty"), "kwargs": {"context": 1}},
            "params.kwargs.context: This argument is given by the worker itself",
        ),
        (
            {"function": "example.day", "kwargs": {"day": "soon"}},
            "params.kwargs.day: Input should be a valid date",
        ),
    ],
)
def test_params_that_cannot_work_are_refused_with_their_place(params: dict[str, Any], error: str) -> None:
    errors = [str(each) for each in PYTHON.check_params(params)]

    assert len(errors) == 1
    assert errors[0].startswith(error)


def test_a_function_that_vanished_fails_with_a_sentence_that_names_it() -> None:
    params = PYTHON.parse({"function": "shop.tasks.gone"})

    with pytest.raises(HandlerError, match=r"no registered function named shop\.tasks\.gone") as caught:
        PYTHON.run(make_context(), params)
    assert caught.value.reason == "unknown_function"


def test_a_function_that_changed_fails_with_a_sentence_that_names_it() -> None:
    params = PYTHON.parse({"function": name("add"), "kwargs": {"c": 1}})

    with pytest.raises(HandlerError, match=r"kwargs\.c: The function has no such argument") as caught:
        PYTHON.run(make_context(), params)
    assert caught.value.reason == "bad_arguments"


def test_the_schema_offers_the_registered_functions() -> None:
    assert PYTHON.params_schema()["properties"]["function"]["enum"] == list(registered_functions())
