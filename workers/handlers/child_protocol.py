"""What a worker and the process of an isolated function tell each other: one JSON object a line, both ways.

Down, on the child's standard input: the assignment, then replies. Up, on a pipe of their own, so that nothing
the function prints can be taken for them: ``log``, ``progress``, ``ask`` (for the URL of a connection),
``end``.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, BinaryIO

from scheduling.domain.retry import exception_kinds
from workers.domain.outcome import UnstorableResult, checked_result
from workers.functions import RegisteredFunction
from workers.handlers.context import LOG, STDERR, STDOUT, HandlerContext
from workers.handlers.errors import HandlerCancelled, HandlerError, HandlerTimedOut

_IDENTITY = ("namespace", "task_name", "instance_id", "execution_id", "attempt", "idempotency_key")


class ParentSide:
    """The worker's end of the conversation."""

    def __init__(self, context: HandlerContext) -> None:
        """Speak for the execution of this context."""
        self._context = context
        self._end: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether the child said how its function ended."""
        return self._end is not None

    def assignment(self, function: RegisteredFunction, kwargs: Mapping[str, Any]) -> bytes:
        """Return the first line for the child: what to call, and on whose behalf."""
        context = self._context
        return _line(
            {
                "function": function.name,
                "module": function.function.__module__,
                "kwargs": dict(kwargs),
                "remaining": context.remaining(),
                "soft_remaining": _seconds_until(context.soft_deadline),
                "scheduled_for": context.scheduled_for.isoformat(),
                "identity": {name: getattr(context, name) for name in _IDENTITY},
            }
        )

    def answer(self, line: bytes) -> bytes:
        """Take one line from the child and return the line to send back, or nothing."""
        try:
            said = json.loads(line)
        except ValueError:
            # A message that a signal cut in two; the one that counts says how the function ended.
            return b""
        match said["kind"]:
            case "log":
                self._context.write(LOG, said["text"])
            case "progress":
                self._context.progress(said["done"], said["total"], said["note"])
            case "ask":
                try:
                    return _line({"url": self._context.connection_url(said["name"])})
                except HandlerError as error:
                    return _line({"reason": error.reason, "message": error.message})
            case "end":
                self._end = said
        return b""

    def result(self) -> Any:
        """Return what the function returned, or raise what it raised."""
        said = self._end or {}
        match said.get("outcome"):
            case "succeeded":
                return said["result"]
            case "timed_out":
                raise HandlerTimedOut(said["message"])
            case "cancelled":
                raise HandlerCancelled(said["message"])
            case _:
                raise _failure(said)


class ChildSide:
    """The child's end: makes a context that reaches through to the worker's."""

    def __init__(self, incoming: BinaryIO, report_fd: int) -> None:
        """Read the assignment from ``incoming`` and report to ``report_fd``."""
        self._incoming = incoming
        self._report_fd = report_fd
        # Reentrant, because a signal handler may log in the very thread that sends.
        self._sending = threading.RLock()
        self._asking = threading.Lock()
        self.assignment: dict[str, Any] = json.loads(incoming.readline())

    def context(self) -> HandlerContext:
        """Return the execution as the function shall see it."""
        said = self.assignment
        remaining, soft = said["remaining"], said["soft_remaining"]
        return _ChildContext(
            **said["identity"],
            scheduled_for=datetime.fromisoformat(said["scheduled_for"]),
            deadline=None if remaining is None else time.monotonic() + remaining,
            soft_deadline=None if soft is None else time.monotonic() + soft,
            sink=self._sink,
            connection_urls=self._ask,
            send=self._send,
        )

    def end(self, work: Callable[[], Any]) -> None:
        """Do the work and report how it ended."""
        try:
            # Checked here because what JSON cannot express cannot be sent.
            self._send({"kind": "end", "outcome": "succeeded", "result": json.loads(checked_result(work()))})
        except UnstorableResult as error:
            self._failed(HandlerError(error.reason, str(error), retryable=False))
        except HandlerError as error:
            self._failed(error)
        except HandlerTimedOut as error:
            self._send({"kind": "end", "outcome": "timed_out", "message": error.message})
        except HandlerCancelled as error:
            self._send({"kind": "end", "outcome": "cancelled", "message": error.message})

    def _failed(self, error: HandlerError) -> None:
        self._send(
            {
                "kind": "end",
                "outcome": "failed",
                "reason": error.reason,
                "message": error.message,
                "result": _sendable(error.result),
                "retryable": error.retryable,
                # The names of the error's classes too: the worker knows only those that it has itself.
                "kinds": sorted(error.kinds | exception_kinds(error)),
                "retry_in": error.retry_in,
                "retry_after": error.retry_after,
                "counted": error.counted,
            }
        )

    def _sink(self, stream: str, text: str) -> None:
        # On the real descriptors, so that the order is kept with what the function's own subprocesses write.
        if stream in {STDOUT, STDERR}:
            _write_all({STDOUT: 1, STDERR: 2}[stream], text.encode())
        else:
            self._send({"kind": "log", "text": text})

    def _ask(self, name: str) -> str:
        with self._asking:
            self._send({"kind": "ask", "name": name})
            reply = json.loads(self._incoming.readline())
        if "url" in reply:
            return str(reply["url"])
        raise HandlerError(reply["reason"], reply["message"], retryable=False)

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending:
            _write_all(self._report_fd, _line(message))


class _ChildContext(HandlerContext):
    """Reports progress as such, so that the worker's context has it too."""

    def __init__(self, *, send: Callable[[dict[str, Any]], None], **fields: Any) -> None:
        super().__init__(**fields)
        self._send = send

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        self._send({"kind": "progress", "done": done, "total": total, "note": note})


def _failure(said: Mapping[str, Any]) -> HandlerError:
    """Return the error that the child described, as good as the one that was raised there."""
    error = HandlerError(
        said["reason"],
        said["message"],
        said["result"],
        said["retryable"],
        kinds=said["kinds"],
        retry_after=said["retry_after"],
    )
    error.retry_in, error.counted = said["retry_in"], said["counted"]
    return error


def _sendable(result: Any) -> Any:
    """Return the result of a failure, or nothing when JSON has no form for it: the failure counts for more."""
    try:
        return json.loads(checked_result(result))
    except UnstorableResult:
        return None


def _seconds_until(moment: float | None) -> float | None:
    return None if moment is None else max(0.0, moment - time.monotonic())


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
