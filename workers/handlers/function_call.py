"""Calling a registered function, in the worker or in a process of its own."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from scheduling.domain.handlers import ParamError
from scheduling.domain.retry import exception_kinds
from workers.functions import RegisteredFunction
from workers.handlers.base import (
    HandlerCancelled,
    HandlerContext,
    HandlerError,
    HandlerTimedOut,
    exception_message,
)


def checked_arguments(function: RegisteredFunction, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments to call with, converted as the annotations say.

    Raises HandlerError("bad_arguments"): the function may have changed since the task was saved.
    """
    values, errors = function.arguments(kwargs)
    if errors:
        message = gettext("%(function)s cannot be called so: %(errors)s") % {
            "function": function.name,
            "errors": "; ".join(str(ParamError(("kwargs", *error.path), error.message)) for error in errors),
        }
        raise HandlerError("bad_arguments", message, retryable=False)
    return values


def call(context: HandlerContext, function: RegisteredFunction, values: Mapping[str, Any]) -> Any:
    """Call a function with checked arguments and return what it returns.

    Raises HandlerError("exception") for whatever it raises, with the traceback in the log. What it raises as
    HandlerError, HandlerTimedOut or HandlerCancelled passes; the traceback of its cause goes to the log.
    """
    given = {"context": context} if function.takes_context else {}
    try:
        return function.function(**values, **given)
    except (HandlerError, HandlerTimedOut, HandlerCancelled) as error:
        if error.__cause__ is not None:
            context.log_exception(error.__cause__)
        raise
    except (Exception, SystemExit) as error:
        trace = error.__traceback__
        # Without this frame, so that the traceback begins with the function.
        context.log_exception(error.with_traceback(trace.tb_next if trace is not None else None))
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        raise HandlerError(
            "exception", exception_message(error), {"exception": name}, kinds=exception_kinds(error)
        ) from error
