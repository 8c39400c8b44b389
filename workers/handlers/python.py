"""The ``python`` handler: a registered function."""

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _n
from pydantic import Field, JsonValue, ValidationError

from scheduling.domain.handlers import ParamError
from workers.functions import (
    RegisteredFunction,
    TaskDiscoveryError,
    autodiscover,
    near_names,
    registered_function,
    registered_functions,
)
from workers.handlers.base import (
    Handler,
    HandlerCancelled,
    HandlerContext,
    HandlerError,
    HandlerParams,
    HandlerTimedOut,
    WorkStopped,
    invalid_params,
)
from workers.handlers.child_protocol import ParentSide
from workers.handlers.function_call import call, checked_arguments
from workers.handlers.limit_watch import refuse_limits_without_process
from workers.handlers.process_run import ProcessRun
from workers.handlers.streams import routed_to
from workers.handlers.thread_guard import run_guarded


class PythonParams(HandlerParams):
    """Which function to call, and with what."""

    function: str = Field(min_length=1, title=_n("Function"), description=_n("As registered with @task."))
    kwargs: dict[str, JsonValue] = Field(default_factory=dict, title=_n("Keyword arguments"))


class PythonHandler(Handler[PythonParams]):
    """Calls a registered function, in this thread or in a process of its own, as its registration says."""

    name = "python"
    Params = PythonParams
    runs_processes = True

    @property
    def label(self) -> str:
        """The title in the active language."""
        return gettext("Python function")

    def params_schema(self) -> dict[str, Any]:
        """Return the JSON Schema, with the registered functions as the values to choose from."""
        schema = super().params_schema()
        try:
            discover()
        except TaskDiscoveryError:
            return schema  # whoever saves a task is told
        if names := list(registered_functions()):
            schema["properties"]["function"]["enum"] = names
        return schema

    def check_model(self, params: PythonParams) -> list[ParamError]:
        """Return what is wrong with the function's name and with its arguments."""
        try:
            discover()
        except TaskDiscoveryError as error:
            return [ParamError(("function",), str(error))]
        function = registered_functions().get(params.function)
        if function is None:
            return [ParamError(("function",), _unknown(params.function))]
        _values, errors = function.arguments(params.kwargs)
        return [ParamError(("kwargs", *error.path), error.message) for error in errors]

    def why_no_process_limits(self, params: Mapping[str, Any]) -> str:
        """Return that a function in a thread cannot be limited; empty for one in a process, or one not known."""
        function = registered_functions().get(str(params.get("function", "")))
        if function is None or function.isolation == "process":
            return ""
        return gettext(
            "%(function)s runs in a thread of the worker, which cannot be limited; register it with "
            'isolation="process".'
        ) % {"function": function.name}

    def parse(self, params: Mapping[str, Any]) -> PythonParams:
        """Return stored params as the model; ``run`` finds out whether the function is still there."""
        try:
            return PythonParams.model_validate(dict(params))
        except ValidationError:
            raise invalid_params(self.check_fields(params)) from None

    def run(self, context: HandlerContext, params: PythonParams) -> Any:
        """Call the function and return what it returns.

        Raises HandlerError with ``unknown_function``, ``bad_arguments``, ``exception`` (the traceback is in
        the log, ``result`` holds the exception's name), and from a process also ``process_ended``.
        """
        function = _find(params.function)
        if function.isolation == "process":
            return _run_in_process(context, function, params.kwargs)
        refuse_limits_without_process(context.limits)
        values = checked_arguments(function, params.kwargs)
        try:
            with routed_to(context):
                result = run_guarded(context, lambda: call(context, function, values))
        except WorkStopped as error:
            context.log_exception(error)
            # What was interrupted may have been in the middle of a conversation with the database.
            connections.close_all()
            _raise_when_stopped(context)
            raise
        except HandlerError:
            # What a function raises because it was asked to end is not a failure.
            _raise_when_stopped(context)
            raise
        finally:
            # Afterwards is enough: what the next function in this thread finds is looked at before it is used.
            close_old_connections()
        # A function that returns after it was asked to end has either noticed or come too late, and in both cases
        # "succeeded" would be wrong.
        _raise_when_stopped(context)
        return result


def _raise_when_stopped(context: HandlerContext) -> None:
    if context.cancelled and not context.timed_out:
        raise HandlerCancelled
    if context.timed_out or context.expired:
        raise HandlerTimedOut


def _run_in_process(context: HandlerContext, function: RegisteredFunction, kwargs: dict[str, JsonValue]) -> Any:
    """Call the function in a child process and return what it reports."""
    parent = ParentSide(context)
    read_fd, write_fd = os.pipe()
    try:
        try:
            run = ProcessRun(
                context,
                [sys.executable, "-m", "workers.handlers.python_child", str(write_fd)],
                env=_child_environment(),
                inherit_env=True,
                stdin=parent.assignment(function, kwargs),
                keep_stdin_open=True,
                report_fd=write_fd,
                on_report=parent.answer,
            )
        finally:
            os.close(write_fd)
        end = run.wait(read_fd)
    finally:
        os.close(read_fd)
    if parent.ended and end.exit_code == 0:
        return parent.result()
    how = (
        gettext("by the signal %(signal)s") % {"signal": end.signal}
        if end.signal
        else gettext("with exit code %(code)d") % {"code": end.exit_code}
    )
    raise HandlerError(
        "process_ended",
        gettext("The process of %(function)s ended %(how)s.") % {"function": function.name, "how": how},
        {"exit_code": end.exit_code, "signal": end.signal, "output_tail": end.output_tail},
        kinds=end.kinds,
    )


def _child_environment() -> dict[str, str]:
    """Return what the child needs to find the same code and the same settings."""
    return {
        "DJANGO_SETTINGS_MODULE": str(settings.SETTINGS_MODULE),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONUNBUFFERED": "1",
    }


def _find(name: str) -> RegisteredFunction:
    """Return a registered function, or raise HandlerError("unknown_function")."""
    function = registered_function(name)
    if function is None:
        try:
            discover()
        except TaskDiscoveryError as error:
            raise HandlerError("unknown_function", f"{_unknown(name)} {error}", retryable=False) from error
        function = registered_function(name)
    if function is None:
        raise HandlerError("unknown_function", _unknown(name), retryable=False)
    return function


def _unknown(name: str) -> str:
    message = gettext("There is no registered function named %(name)s.") % {"name": name}
    near = near_names(name)
    if near:
        message += " " + gettext("Did you mean %(near)s?") % {"near": ", ".join(near)}
    return message


@lru_cache(maxsize=1)
def discover() -> None:
    """Find the functions of this installation, once for each process. Raises TaskDiscoveryError."""
    autodiscover()
