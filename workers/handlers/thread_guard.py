"""Ending a function that runs in a thread of the worker: it is asked, then an error is raised inside it."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from workers.handlers.alarm import Alarm, alarms
from workers.handlers.context import HandlerContext
from workers.handlers.errors import WorkStopped

#: How long a function that was asked to end may take to notice by itself, at most.
MOMENT_SECONDS = 0.5
#: How often the error is raised again in a function that swallows it.
AGAIN_SECONDS = 0.25
#: Even without any grace an error takes a while to arrive.
LEAST_GRACE_SECONDS = 1.0
#: How soon a thread is looked at again that was in the middle of what must not be interrupted.
_SOON_SECONDS = 0.001

#: Code that holds locks which other threads need; an error in the middle of it could leave one locked for ever.
_NOT_INSIDE = frozenset(
    {
        "logging",
        "workers.handlers.context",
        "workers.handlers.streams",
        "workers.handlers.thread_guard",
        "workers.runtime.log_buffer",
    }
)

T = TypeVar("T")


def run_guarded(context: HandlerContext, work: Callable[[], T]) -> T:
    """Return what ``work`` returns; from its deadline on, or when it is cancelled, end it.

    First `HandlerContext.cancelled` becomes true. A moment later `WorkStopped` is raised inside the thread, again
    and again while it is swallowed; a ``finally`` that is cleaning up is left alone. When the kill grace is over and
    the function still has not ended, `HandlerContext.on_stuck` is called. Raises what ``work`` raises.

    Source: `PyThreadState_SetAsyncExc`, Python/C API manual. The error arrives between two steps of Python code, so
    what blocks inside C code is not reached.
    """
    guard = _Guard(context)
    try:
        try:
            guard.watch()
            return work()
        finally:
            guard.close()
    except WorkStopped:
        # It may have arrived while the guard was being closed.
        guard.close()
        raise


class _Guard:
    """Watches the thread that made it."""

    def __init__(self, context: HandlerContext) -> None:
        self._context = context
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._ended = False
        self._raised = False
        self._asked_at = 0.0
        self._said_stuck = False
        self._alarm: Alarm | None = None
        self._forget: Callable[[], None] | None = None

    def watch(self) -> None:
        """Watch the deadline and the cancelling."""
        if self._context.deadline is not None:
            self._alarm = alarms.call_at(self._context.deadline, self._late)
        self._forget = self._context.on_cancel(self._asked)

    def close(self) -> None:
        """Leave the thread alone from now on, with nothing on its way to it. Called in that thread."""
        with self._lock:
            self._ended = True
            if self._raised:
                self._raised = False
                _raise_in(self._thread, None)
        if self._alarm is not None:
            self._alarm.cancel()
        if self._forget is not None:
            self._forget()

    def _late(self) -> None:
        # What the function wants to be called when it shall end may take its time.
        threading.Thread(target=self._context.expire, name="rota-expire", daemon=True).start()

    def _asked(self) -> None:
        with self._lock:
            self._asked_at = time.monotonic()
            self._next(min(MOMENT_SECONDS, self._context.kill_grace_seconds / 2))

    def _next(self, seconds: float) -> None:
        if not self._ended:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = alarms.call_at(time.monotonic() + seconds, self._stop)

    def _stop(self) -> None:
        stuck = False
        with self._lock:
            if self._ended:
                return
            if _may_be_interrupted(self._thread):
                self._raised = True
                _raise_in(self._thread, WorkStopped)
                self._next(AGAIN_SECONDS)
            else:
                self._next(_SOON_SECONDS)
            # Asked anew each time: a cancel may have become a kill, which has no grace.
            grace = max(LEAST_GRACE_SECONDS, self._context.kill_grace_seconds)
            if not self._said_stuck and time.monotonic() >= self._asked_at + grace:
                self._said_stuck = stuck = True
        if stuck:
            self._context.on_stuck()


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have ``error`` raised in a thread, or with None take back what has not arrived yet."""
    what = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)


def _may_be_interrupted(thread: int) -> bool:
    """Whether an error may be raised in a thread now: it is neither inside a shared lock nor already cleaning up."""
    handled = sys._current_exceptions().get(thread)
    # Until Python 3.11 a triple, then the error itself.
    error = handled[1] if isinstance(handled, tuple) else handled
    while error is not None:
        if isinstance(error, WorkStopped):
            return False
        error = error.__context__
    frame: FrameType | None = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not run_guarded.__code__:
        if frame.f_globals.get("__name__") in _NOT_INSIDE:
            return False
        frame = frame.f_back
    return frame is not None
