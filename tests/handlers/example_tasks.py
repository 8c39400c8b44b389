"""Registered functions for the tests, importable by another process."""

import logging
import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.functions import task
from workers.handlers.base import CancelMe, GiveUp, HandlerContext, HandlerError, RetryIn, TryLater

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)


@task
def add(a: int, b: int = 10) -> int:
    return a + b


@task(name="example.day")
def day_of(day: date, names: "Sequence[str]" = (), **more: Any) -> dict[str, Any]:
    return {"type": type(day).__name__, "year": day.year, "names": list(names), "more": more}


@task
def chatty(context: HandlerContext) -> str:
    print("printed")  # noqa: T201 - what the tests are about
    print("to stderr", file=sys.stderr)  # noqa: T201 - what the tests are about
    sys.stdout.buffer.write(b"as bytes\n")
    logger.info("logged %s", "here")
    context.logger.warning("from the context")
    context.progress(3, 10, "rows")
    return context.task_name


@task
def divide(by: int) -> float:
    return 1 / by


@task
def refuse() -> None:
    raise HandlerError("too_early", "The file is not there yet.", {"looked": 3}, retryable=False)


@task
def patient(context: HandlerContext) -> str:
    context.write("stdout", "waiting\n")
    context.wait_cancelled()
    return "gave up"


@task
def whatever(value: Any) -> Any:
    return value


@task(isolation="process")
def isolated_add(a: int, day: date) -> dict[str, Any]:
    return {"sum": a + day.day, "pid": os.getpid()}


@task(isolation="process")
def isolated_chatty(context: HandlerContext) -> str:
    print("printed")  # noqa: T201 - what the tests are about
    print("to stderr", file=sys.stderr)  # noqa: T201 - what the tests are about
    subprocess.run(["echo", "from a subprocess"], check=True)
    logger.info("logged %s", "here")
    logger.warning("once")
    context.logger.warning("from the context")
    context.progress(3, 10, "rows")
    return f"{context.task_name} {context.attempt} {context.scheduled_for.isoformat()} {context.idempotency_key}"


@task(isolation="process")
def isolated_divide(by: int) -> float:
    return 1 / by


@task(isolation="process")
def isolated_refuse() -> None:
    raise HandlerError("too_early", "The file is not there yet.", {"looked": 3}, retryable=False)


@task(isolation="process")
def isolated_url(context: HandlerContext, name: str) -> str:
    return context.connection_url(name)


@task(isolation="process")
def isolated_loop(path: str) -> None:
    try:
        print("looping")  # noqa: T201 - what the tests are about
        while True:
            pass
    finally:
        Path(path).write_text("cleaned up")


@task(isolation="process")
def isolated_stubborn(path: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "1000"])
    Path(path).write_text(f"{os.getpid()} {child.pid}\n")
    while True:
        time.sleep(1000)


@task(isolation="process")
def isolated_crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@task(isolation="process")
def isolated_exit(code: int) -> None:
    os._exit(code)


@task(isolation="process")
def isolated_result(kind: str) -> Any:
    return {"nul": "a\x00b", "set": {1}, "big": "x" * 2_000_000}[kind]


@task(name="tests.example_eats_memory", isolation="process")
def eat_memory() -> None:
    eaten = []
    while True:
        eaten.append(bytearray(b"x") * (8 * 1024 * 1024))
        time.sleep(0.01)


class Busy(ConnectionError):
    """An error of somebody's own, whose base is a well-known one."""


def ask_for(outcome: str) -> None:
    """Raise what a function may raise to say how to go on."""
    try:
        1 // 0  # noqa: B018 - what the outcome is raised from
    except ZeroDivisionError as error:
        match outcome:
            case "retry":
                raise RetryIn(30, "The file is not there yet.", {"looked": 3}) from error
            case "give up":
                raise GiveUp("There is no such customer.") from error
            case "cancel":
                raise CancelMe("Nothing to do on a holiday.") from error
            case "later":
                raise TryLater(timedelta(minutes=5)) from error
            case "busy":
                raise Busy("come back later") from error
            case "never":
                raise RetryIn(0) from error


@task
def asks_for(outcome: str) -> None:
    ask_for(outcome)


@task(isolation="process")
def isolated_asks_for(outcome: str) -> None:
    ask_for(outcome)


@task(isolation="process")
def isolated_soft(context: HandlerContext) -> bool:
    while not context.soft_expired:
        time.sleep(0.01)
    return context.soft_expired and not context.expired
