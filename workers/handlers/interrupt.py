"""Stopping blocking work from outside: when it is cancelled, and when its deadline passes."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from workers.handlers.alarm import Alarm, alarms
from workers.handlers.context import HandlerContext
from workers.handlers.errors import HandlerCancelled, HandlerTimedOut


class Interruptible:
    """Runs a block that a callback can stop from another thread.

    ``stop`` is called once, from a thread of its own, when the context is cancelled or ``deadline``
    (a ``time.monotonic()`` value, by default the context's) passes while the block runs. Whatever error the
    stopped block then raises, ``check()`` says what it means. A block that ends by itself has ended, however
    late.
    """

    def __init__(self, context: HandlerContext, stop: Callable[[], None], deadline: float | None = None) -> None:
        """Prepare; nothing is watched before the block is entered."""
        self._context = context
        self._stop = stop
        self._deadline = context.deadline if deadline is None else deadline
        self._lock = threading.Lock()
        self._ended = False
        self._reason: type[HandlerCancelled | HandlerTimedOut] | None = None
        self._alarm: Alarm | None = None
        self._forget: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        """Watch the deadline and the cancelling.

        Raises HandlerTimedOut or HandlerCancelled when there is no need to begin.
        """
        if self._context.cancelled:
            raise HandlerCancelled
        if self._deadline is not None:
            if self._deadline <= time.monotonic():
                raise HandlerTimedOut
            self._alarm = alarms.call_at(self._deadline, lambda: self._begin(HandlerTimedOut))
        self._forget = self._context.on_cancel(lambda: self._begin(HandlerCancelled))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching; after this the callback is not called any more."""
        with self._lock:
            self._ended = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._forget is not None:
            self._forget()

    def check(self) -> None:
        """Raise HandlerCancelled or HandlerTimedOut when the work was interrupted or is late."""
        if self._reason is not None:
            raise self._reason
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise HandlerTimedOut

    def _begin(self, reason: type[HandlerCancelled | HandlerTimedOut]) -> None:
        # Whoever calls has others waiting (a heartbeat, other alarms), and stopping may need the network.
        threading.Thread(target=self._interrupt, args=[reason], daemon=True).start()

    def _interrupt(self, reason: type[HandlerCancelled | HandlerTimedOut]) -> None:
        # The callback runs under the lock, so that leaving the block waits for it: it must never hit what
        # comes next on the same connection.
        with self._lock:
            if self._ended or self._reason is not None:
                return
            self._reason = reason
            self._stop()
