"""Sends what a function prints and logs to the log of the execution that runs in its thread.

Output belongs to an execution by context variable, so threads that a function starts by itself write to the
worker's own streams, unless it starts them in a copy of its context (``contextvars.copy_context().run``).
"""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO, cast

from workers.handlers.context import LOG, STDERR, STDOUT, HandlerContext

_current: ContextVar[HandlerContext | None] = ContextVar("current_execution", default=None)


@contextmanager
def routed_to(context: HandlerContext) -> Iterator[None]:
    """Send this thread's output to an execution's log inside the block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


def install_stream_router() -> Callable[[], None]:
    """Put routers in the place of ``sys.stdout`` and ``sys.stderr`` and on the root logger.

    Outside of executions everything goes where it went before. Inside them records of level INFO and above
    reach the execution's log, while the handlers that are on the root logger now keep the threshold they had.
    Returns a function that takes the routers away again; a second call changes nothing and returns one
    that does nothing.
    """
    if isinstance(sys.stdout, _Router):
        return lambda: None
    stdout, stderr, root = sys.stdout, sys.stderr, logging.getLogger()
    routed_out, routed_err, handler = _Router(stdout, STDOUT), _Router(stderr, STDERR), _RecordRouter()
    level = root.level
    held_back: list[logging.Handler] = []
    if level > logging.INFO:
        held_back = [each for each in root.handlers if each.level < level]
        levels = [each.level for each in held_back]
        for each in held_back:
            each.setLevel(level)
        root.setLevel(logging.INFO)
    else:
        levels = []
    root.addHandler(handler)
    sys.stdout, sys.stderr = cast("TextIO", routed_out), cast("TextIO", routed_err)

    def uninstall() -> None:
        if sys.stdout is cast("TextIO", routed_out):
            sys.stdout = stdout
        if sys.stderr is cast("TextIO", routed_err):
            sys.stderr = stderr
        root.removeHandler(handler)
        root.setLevel(level)
        for each, before in zip(held_back, levels, strict=True):
            each.setLevel(before)

    return uninstall


class _Router(io.TextIOBase):
    """A text stream that writes to the current execution's log, or to the original outside of executions."""

    def __init__(self, original: TextIO, stream: str) -> None:
        super().__init__()
        self._original = original
        self._stream = stream

    def write(self, text: str) -> int:
        context = _current.get()
        if context is None:
            return self._original.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        context.write(self._stream, text)
        return len(text)

    def flush(self) -> None:
        if _current.get() is None:
            self._original.flush()

    @property
    def buffer(self) -> "_BufferRouter":
        return _BufferRouter(self._original, self._stream)

    def isatty(self) -> bool:
        return _current.get() is None and self._original.isatty()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._original.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed says attribute, the original has a property too
        return self._original.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # as above
        return self._original.errors

    def close(self) -> None:
        """Stay open: the stream belongs to the whole process."""


class _BufferRouter(io.RawIOBase):
    """The binary side of a router, for whoever writes bytes."""

    def __init__(self, original: TextIO, stream: str) -> None:
        super().__init__()
        self._original = original
        self._stream = stream

    def write(self, data: Any) -> int:
        context = _current.get()
        if context is None:
            return self._original.buffer.write(data)
        context.write(self._stream, bytes(data))
        return len(data)

    def flush(self) -> None:
        if _current.get() is None:
            self._original.flush()

    def writable(self) -> bool:
        return True


class _RecordRouter(logging.Handler):
    """Writes log records to the current execution's log; drops them outside of executions."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        context = _current.get()
        if context is None:
            return
        try:
            context.write(LOG, self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a log line must not fail the work; this is logging's own way to say so
            self.handleError(record)
