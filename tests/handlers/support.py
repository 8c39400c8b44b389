"""What the handlers' tests share: a log in memory, a context, and waiting for conditions."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

from workers.handlers.base import Handler, HandlerContext

#: Ends a wait that would otherwise hang the suite; no test passes by reaching it.
PATIENCE_SECONDS = 30.0


class MemoryLog:
    """A sink that keeps what it gets and lets tests wait for it."""

    def __init__(self) -> None:
        self.chunks: list[tuple[str, str]] = []
        self._changed = threading.Condition()

    def __call__(self, stream: str, text: str) -> None:
        with self._changed:
            self.chunks.append((stream, text))
            self._changed.notify_all()

    def text(self, stream: str | None = None) -> str:
        """Return what was written to one stream, or to all in their order."""
        with self._changed:
            return "".join(text for each, text in self.chunks if stream in {None, each})

    def wait_for(self, part: str) -> None:
        """Wait until this text has been written."""
        with self._changed:
            written = self._changed.wait_for(lambda: part in "".join(text for _, text in self.chunks), PATIENCE_SECONDS)
        assert written, f"{part!r} was never written; the log is {self.text()!r}"


def make_context(log: MemoryLog | None = None, *, seconds: float | None = None, **changes: Any) -> HandlerContext:
    """Return a context whose deadline is so many seconds away."""
    fields: dict[str, Any] = {
        "namespace": "default",
        "task_name": "nightly",
        "instance_id": 11,
        "execution_id": 22,
        "attempt": 1,
        "scheduled_for": datetime(2026, 3, 29, 2, 30, tzinfo=UTC),
        "idempotency_key": "key-of-11",
        "deadline": None if seconds is None else time.monotonic() + seconds,
        "sink": log if log is not None else MemoryLog(),
    }
    return HandlerContext(**(fields | changes))


def run(handler: Handler[Any], context: HandlerContext | None = None, **params: Any) -> Any:
    """Check the params as a save does, then run them."""
    errors = handler.check_params(params)
    assert not errors, errors
    return handler.run(context or make_context(), handler.parse(params))


def start(handler: Handler[Any], context: HandlerContext, **params: Any) -> "Future[Any]":
    """Run in a thread, as a worker does."""
    future: Future[Any] = Future()

    def work() -> None:
        try:
            future.set_result(run(handler, context, **params))
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to whoever asks the future
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.01)
