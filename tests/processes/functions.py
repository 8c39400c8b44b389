"""Functions that the workers of these tests run."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from workers.functions import task
from workers.handlers.base import HandlerContext, RetryIn, TryLater


@task(name="tests.nothing")
def nothing() -> None:
    """Succeed at once."""


@task(name="tests.wait_for_cancel")
def wait_for_cancel(context: HandlerContext, seconds: float = 60) -> str:
    """Run until somebody cancels it."""
    context.logger.info("waiting")
    return "cancelled" if context.wait_cancelled(seconds) else "waited in vain"


@task(name="tests.divide")
def divide(by: int) -> float:
    """Divide one."""
    return 1 / by


@task(name="tests.give")
def give(value: object) -> object:
    """Return what it is given, whatever the database thinks of it."""
    return {"nul": "a\x00b", "large": "x" * 2_000_000, "number": float("nan")}.get(str(value), value)


@task(name="tests.give_noise")
def give_noise(go: str, size: int = 6000) -> str:
    """Return text that cannot be compressed, once the file ``go`` is there; write no log."""
    while not Path(go).exists():
        time.sleep(0.02)
    return secrets.token_hex(size // 2)


@task(name="tests.eat_memory", isolation="process")
def eat_memory() -> None:
    """Take more and more memory."""
    eaten = []
    while True:
        eaten.append(bytearray(b"x") * (8 * 1024 * 1024))
        time.sleep(0.01)


@task(name="tests.sleep")
def sleep(seconds: float) -> None:
    """Block inside C code, where nothing reaches it."""
    print("waiting")  # noqa: T201 - tests wait for it
    time.sleep(seconds)


@task(name="tests.burn")
def burn(seconds: float) -> int:
    """Keep a core busy with Python code, and hold the interpreter as much as such code can."""
    end, turns = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        turns += 1
    return turns


@task(name="tests.later_then_done")
def later_then_done(context: HandlerContext, times: int) -> int:
    """Put itself off so many times."""
    if context.attempt <= times:
        raise TryLater(0.01, "The file is not there yet.")
    return context.attempt


@task(name="tests.retry_in")
def retry_in(context: HandlerContext, seconds: float) -> None:
    """Ask for its next attempt."""
    raise RetryIn(seconds, "The file is not there yet.")


@task(name="tests.slow")
def slow(context: HandlerContext, until: str) -> None:
    """Take longer than it should, and until there is a file."""
    while not (context.soft_expired and Path(until).exists()):
        context.wait_cancelled(0.05)
