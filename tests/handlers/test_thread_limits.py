"""How a function in a thread of the worker ends when it has to, and what happens when it does not."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.handlers.support import MemoryLog, make_context, start
from workers.functions import task
from workers.handlers import thread_guard
from workers.handlers.base import Handler, HandlerCancelled, HandlerContext, HandlerTimedOut, WorkStopped
from workers.handlers.python import PythonHandler

PYTHON: Handler[Any] = PythonHandler()

logger = logging.getLogger(__name__)

#: What functions that cannot be stopped wait for; set, it lets them go.
released = threading.Lock()


@task(name="limits.loop")
def loop(context: HandlerContext) -> None:
    try:
        context.write("stdout", "looping\n")
        while True:
            pass
    finally:
        context.write("stdout", "cleaned up\n")


@task(name="limits.catches_exceptions")
def catches_exceptions(context: HandlerContext) -> None:
    context.write("stdout", "looping\n")
    while True:
        with contextlib.suppress(Exception):
            sum(range(1000))


@task(name="limits.swallows")
def swallows(context: HandlerContext, times: int) -> None:
    context.write("stdout", "looping\n")
    for _ in range(times):
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001 - what the test is about
            context.write("stdout", "swallowed\n")
    while True:
        pass


@task(name="limits.cleans_up_slowly")
def cleans_up_slowly(context: HandlerContext) -> None:
    try:
        context.write("stdout", "looping\n")
        while True:
            pass
    finally:
        # Four times as long as it takes until the error is raised again.
        end = time.monotonic() + 4 * thread_guard.AGAIN_SECONDS
        while time.monotonic() < end:
            pass
        context.write("stdout", "cleaned up\n")


@task(name="limits.polite")
def polite(context: HandlerContext) -> str:
    context.write("stdout", "waiting\n")
    context.wait_cancelled()
    context.write("stdout", "noticed\n")
    return "half of it"


@task(name="limits.blocked")
def blocked(context: HandlerContext) -> None:
    context.write("stdout", "blocked\n")
    with released:
        context.write("stdout", "too late\n")
    print("too late as well")  # noqa: T201 - what the test is about


@task(name="limits.logs")
def logs(context: HandlerContext) -> None:
    context.write("stdout", "looping\n")
    while True:
        logger.info("busy")
        sum(range(10_000))


def test_a_busy_loop_ends_at_its_deadline_and_may_clean_up(log: MemoryLog) -> None:
    context = make_context(log, seconds=1)
    assert isinstance(start(PYTHON, context, function="limits.loop").exception(30), HandlerTimedOut)
    assert "cleaned up" in log.text("stdout")
    assert "WorkStopped" in log.text("stderr")
    assert "in loop" in log.text("stderr")


def stopped_by_cancelling(log: MemoryLog, function: str, **kwargs: Any) -> BaseException | None:
    context = make_context(log)
    future = start(PYTHON, context, function=function, kwargs=kwargs)
    log.wait_for("ing\n")
    context.cancel()
    return future.exception(30)


def test_cancelling_ends_a_busy_loop(log: MemoryLog) -> None:
    assert isinstance(stopped_by_cancelling(log, "limits.loop"), HandlerCancelled)


def test_cancelling_ends_a_function_that_catches_every_exception(log: MemoryLog) -> None:
    assert isinstance(stopped_by_cancelling(log, "limits.catches_exceptions"), HandlerCancelled)


def test_a_function_that_swallows_the_error_gets_it_again(log: MemoryLog) -> None:
    assert isinstance(stopped_by_cancelling(log, "limits.swallows", times=2), HandlerCancelled)
    assert log.text("stdout").count("swallowed") == 2


def test_cleaning_up_is_not_interrupted(log: MemoryLog) -> None:
    assert isinstance(stopped_by_cancelling(log, "limits.cleans_up_slowly"), HandlerCancelled)
    assert "cleaned up" in log.text("stdout")


def test_a_function_that_looks_whether_it_shall_end_learns_of_its_deadline_and_is_left_alone(log: MemoryLog) -> None:
    future = start(PYTHON, make_context(log, seconds=1), function="limits.polite")
    assert isinstance(future.exception(30), HandlerTimedOut)
    assert "noticed" in log.text("stdout")
    assert log.text("stderr") == ""


def test_a_thread_that_cannot_be_stopped_is_reported_and_writes_no_more(log: MemoryLog) -> None:
    stuck = threading.Event()
    context = make_context(log, kill_grace_seconds=0.0, on_stuck=stuck.set)
    with released:
        future = start(PYTHON, context, function="limits.blocked")
        log.wait_for("blocked\n")
        context.cancel()
        assert stuck.wait(30)
        context.abandon()
    assert isinstance(future.exception(30), HandlerCancelled)
    assert log.text() == "blocked\n"


def test_a_thread_is_given_up_only_when_its_grace_is_over(log: MemoryLog, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = threading.Event()
    context = make_context(log, kill_grace_seconds=3600.0, on_stuck=stuck.set)
    with released:
        future = start(PYTHON, context, function="limits.blocked")
        log.wait_for("blocked\n")
        context.cancel()
        # Twice the time after which it would have been given up without any grace.
        assert not stuck.wait(2 * thread_guard.LEAST_GRACE_SECONDS)
        # As when a cancel becomes a kill.
        context.kill_grace_seconds = 0.0
        assert stuck.wait(30)
    future.exception(30)


def test_no_error_arrives_after_a_function_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_guard, "MOMENT_SECONDS", 0.0)
    strays: list[BaseException] = []
    ends = {"stopped": 0, "ended": 0}

    def spin(turns: int) -> None:
        for _ in range(turns):
            pass

    def many() -> None:
        for number in range(300):
            context = make_context(kill_grace_seconds=0.0)
            timer = threading.Timer(0.0005, context.cancel)
            try:
                timer.start()
                try:
                    thread_guard.run_guarded(context, partial(spin, number * 800))
                    ends["ended"] += 1
                except WorkStopped:
                    ends["stopped"] += 1
                spin(2000)
            except BaseException as error:  # noqa: BLE001 - this is what must not happen
                strays.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    try:
        thread = threading.Thread(target=many)
        thread.start()
        thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    assert strays == []
    assert ends["stopped"] + ends["ended"] == 300
    # Both ends were seen, or the test has shown nothing.
    assert ends["stopped"] > 0, ends
    assert ends["ended"] > 0, ends


def test_a_function_that_is_stopped_while_it_logs_leaves_logging_usable(log: MemoryLog) -> None:
    kept: list[str] = []

    class Slow(logging.Handler):
        """Holds its lock most of the time, as a handler that writes to a disk does."""

        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record.getMessage())
            end = time.perf_counter() + 0.0003
            while time.perf_counter() < end:
                pass

    handler = Slow()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        for _ in range(3):
            assert isinstance(stopped_by_cancelling(MemoryLog(), "limits.logs"), HandlerCancelled)
            done = threading.Thread(target=logger.info, args=["still here"], daemon=True)
            done.start()
            done.join(30)
            assert not done.is_alive(), "another thread can log"
    finally:
        logger.propagate = True
        logger.removeHandler(handler)
    assert kept.count("still here") == 3


def test_alarms_ring_in_the_order_of_their_moments_and_only_when_they_are_not_cancelled() -> None:
    from workers.handlers.alarm import AlarmClock

    clock, rung, done = AlarmClock(), list[int](), threading.Event()
    now = time.monotonic()

    def ring(number: int) -> Callable[[], None]:
        return lambda: rung.append(number)

    for number in (5, 1, 4, 2):
        clock.call_at(now + number / 50, ring(number))
    clock.call_at(now + 3 / 50, ring(3)).cancel()
    for _ in range(3000):
        clock.call_at(now + 3600, ring(0)).cancel()
    clock.call_at(now + 6 / 50, lambda: 1 // 0)  # type: ignore[arg-type] # what it returns does not matter
    clock.call_at(now + 7 / 50, done.set)
    assert done.wait(30)
    assert rung == [1, 2, 4, 5]
