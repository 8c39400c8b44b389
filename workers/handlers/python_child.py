"""Runs one function for a worker, in a process that can be killed.

Started as ``python -m workers.handlers.python_child FD``, with the file descriptor to report to.
"""

import logging
import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import django

from workers.functions import RegisteredFunction, TaskDiscoveryError, autodiscover, registered_functions
from workers.handlers.child_protocol import ChildSide
from workers.handlers.context import HandlerContext
from workers.handlers.errors import HandlerError
from workers.handlers.function_call import call, checked_arguments
from workers.handlers.streams import install_stream_router, routed_to

#: As a shell reports a process that SIGTERM ended.
TERMINATED_EXIT_CODE = 128 + signal.SIGTERM


class _TerminatedError(BaseException):
    """SIGTERM arrived. Not an Exception, so that a function that catches everything it can still ends."""


def main(report_fd: int) -> None:
    """Read an assignment from standard input, do it, and report to the file descriptor."""
    # The pipe is between this process and its worker; what the function starts must not hold it open.
    os.set_inheritable(report_fd, False)
    incoming = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    side = ChildSide(incoming, report_fd)
    context = side.context()
    django.setup()
    _route_logging_once()
    install_stream_router()
    try:
        _end_on_sigterm(context)
        side.end(lambda: _work(side.assignment, context))
    except _TerminatedError:
        sys.exit(TERMINATED_EXIT_CODE)


def _work(assignment: dict[str, Any], context: HandlerContext) -> Any:
    with routed_to(context):
        try:
            function = _find(assignment["function"], assignment["module"])
        except (Exception, SystemExit) as error:
            context.log_exception(error)
            message = f"{assignment['function']} could not be imported: {type(error).__name__}: {error}"
            raise HandlerError("unknown_function", message, retryable=False) from error
        return call(context, function, checked_arguments(function, assignment["kwargs"]))


def _find(name: str, module: str) -> RegisteredFunction:
    """Return the function, importing no more than its module where that will do."""
    import_module(module)
    if name not in registered_functions():
        autodiscover()
    if name not in registered_functions():
        raise TaskDiscoveryError(f"{module} registers no such function here")
    return registered_functions()[name]


def _end_on_sigterm(context: HandlerContext) -> None:
    """Let SIGTERM cancel the context and end the function, ``finally`` blocks included."""

    def terminate(_number: int, _frame: FrameType | None) -> NoReturn:
        # Once is enough: a second one must not interrupt the cleaning up.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        context.cancel()
        raise _TerminatedError

    signal.signal(signal.SIGTERM, terminate)


def _route_logging_once() -> None:
    """Take the terminal's handlers away: here the terminal is the log, which records reach anyway."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.StreamHandler) and handler.stream in {sys.stdout, sys.stderr}:
            root.removeHandler(handler)


if __name__ == "__main__":
    main(int(sys.argv[1]))
