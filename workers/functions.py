"""Functions that tasks may call: registered with ``@task``, found by module, checked by signature."""

import difflib
import inspect
import threading
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, Literal, TypeVar, get_type_hints, overload

from django.conf import settings
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext
from pydantic import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, TypeAdapter, ValidationError

Isolation = Literal["thread", "process"]
F = TypeVar("F", bound=Callable[..., Any])

#: The parameter that is no keyword argument: it receives the execution's HandlerContext.
CONTEXT_PARAMETER = "context"

_KEYWORDS = frozenset({inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY})


class TaskFunctionError(TypeError):
    """A function cannot be registered. The message says which and why."""


class TaskDiscoveryError(Exception):
    """A module with tasks could not be imported. The message names it."""


@dataclass(frozen=True)
class ArgumentError:
    """What is wrong with one keyword argument: its path, which begins with its name, and a sentence."""

    path: tuple[str | int, ...]
    message: str


@dataclass(frozen=True)
class RegisteredFunction:
    """A function under the name that tasks store."""

    name: str
    function: Callable[..., Any]
    isolation: Isolation

    @cached_property
    def signature(self) -> inspect.Signature:
        """The function's parameters, as written."""
        return inspect.signature(self.function)

    @cached_property
    def _keywords(self) -> tuple[frozenset[str], tuple[str, ...], bool]:
        """The names that can be given, those that must be, in order, and whether any other can be given as well."""
        parameters = self.signature.parameters
        names = frozenset(name for name, each in parameters.items() if each.kind in _KEYWORDS) - {CONTEXT_PARAMETER}
        needed = tuple(
            name for name, each in parameters.items() if name in names and each.default is inspect.Parameter.empty
        )
        return names, needed, any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())

    @cached_property
    def takes_context(self) -> bool:
        """Whether the function has a parameter named ``context``."""
        return CONTEXT_PARAMETER in self.signature.parameters

    def arguments(self, kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], list[ArgumentError]]:
        """Return the keyword arguments to call with, and everything that is wrong with them.

        JSON values are converted as pydantic does it where the parameter has an annotation: ``"2026-01-31"``
        for a ``date`` arrives as one. Annotations that pydantic has no rule for are taken for documentation.
        """
        names, needed, takes_any = self._keywords
        errors = [
            ArgumentError((name,), self._unexpected(name, names))
            for name in kwargs
            if name not in names and (not takes_any or name == CONTEXT_PARAMETER)
        ]
        errors += [
            ArgumentError((name,), gettext("The function needs this argument")) for name in needed if name not in kwargs
        ]
        values: dict[str, Any] = {}
        for name, value in kwargs.items():
            adapter = self._adapters.get(name)
            try:
                values[name] = value if adapter is None else adapter.validate_python(value)
            except ValidationError as error:
                errors += [ArgumentError((name, *each["loc"]), each["msg"]) for each in error.errors()]
        return values, errors

    @cached_property
    def _adapters(self) -> dict[str, TypeAdapter[Any]]:
        adapters = {}
        for name, annotation in self.function.__annotations__.items():
            if name not in {CONTEXT_PARAMETER, "return"}:
                adapter = _adapter(self.function, name, annotation)
                if adapter is not None:
                    adapters[name] = adapter
        return adapters

    def _unexpected(self, name: str, names: frozenset[str]) -> str:
        if name == CONTEXT_PARAMETER and self.takes_context:
            return gettext("This argument is given by the worker itself")
        near = difflib.get_close_matches(name, sorted(names), n=1)
        if near:
            return gettext("The function has no such argument; did you mean %(near)s?") % {"near": near[0]}
        return gettext("The function has no such argument")


_functions: dict[str, RegisteredFunction] = {}
_lock = threading.Lock()


@overload
def task(fn: F) -> F: ...


@overload
def task(*, name: str | None = None, isolation: Isolation = "thread") -> Callable[[F], F]: ...


def task(fn: F | None = None, *, name: str | None = None, isolation: Isolation = "thread") -> F | Callable[[F], F]:
    """Let tasks call this function, as ``module.function`` or under a name of its own.

    ``isolation="thread"`` runs it in the worker, where it is asked to end through ``context.cancelled``;
    ``isolation="process"`` runs it in a process that can be killed. The function itself stays as it is.
    Raises TaskFunctionError for a name that another function has, and for functions that keywords cannot
    call.
    """

    def register(function: F) -> F:
        registered = RegisteredFunction(name or f"{function.__module__}.{function.__qualname__}", function, isolation)
        _check(registered)
        with _lock:
            taken = _functions.get(registered.name)
            # A module that is imported again defines the same functions again.
            if taken is not None and _origin(taken.function) != _origin(function):
                raise TaskFunctionError(
                    f"Two functions are registered as {registered.name!r}: {_origin(taken.function)} and "
                    f"{_origin(function)}."
                )
            _functions[registered.name] = registered
        return function

    return register if fn is None else register(fn)


def registered_function(name: str) -> RegisteredFunction | None:
    """Return the function that was registered as ``name`` so far."""
    return _functions.get(name)


def registered_functions() -> dict[str, RegisteredFunction]:
    """Return all functions that were registered so far, by name, sorted."""
    with _lock:
        return dict(sorted(_functions.items()))


def near_names(name: str) -> list[str]:
    """Return registered names that somebody who wrote ``name`` may have meant, the nearest first."""
    names = list(registered_functions())
    last = name.rpartition(".")[2]
    ends_alike = [each for each in names if each.rpartition(".")[2] == last]
    return list(dict.fromkeys([*ends_alike, *difflib.get_close_matches(name, names, n=3)]))[:3]


def autodiscover() -> None:
    """Import ``tasks.py`` of every installed app, and the modules in ``WORKERS["TASK_MODULES"]``.

    Raises TaskDiscoveryError, which names the module, when one cannot be imported.
    """
    module = "tasks"
    try:
        autodiscover_modules(module)
        for module in getattr(settings, "WORKERS", {}).get("TASK_MODULES", ()):
            import_module(module)
    except Exception as error:
        raise TaskDiscoveryError(
            f"The tasks in {_failing_module(error, module)} could not be imported: {type(error).__name__}: {error}"
        ) from error


def _check(registered: RegisteredFunction) -> None:
    function, name = registered.function, registered.name
    if not isinstance(function, types.FunctionType):
        raise TaskFunctionError(f"{name!r} is not a plain function.")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise TaskFunctionError(f"{name!r} is a coroutine or a generator; tasks call plain functions.")
    if registered.isolation not in {"thread", "process"}:
        raise TaskFunctionError(f"The isolation of {name!r} is 'thread' or 'process'.")
    if registered.isolation == "process" and "<locals>" in function.__qualname__:
        raise TaskFunctionError(f"{name!r} is defined inside a function, where another process cannot find it.")
    for parameter in registered.signature.parameters.values():
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise TaskFunctionError(f"{name!r} has a positional-only parameter, {parameter.name!r}.")


def _origin(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _adapter(function: Callable[..., Any], name: str, annotation: Any) -> TypeAdapter[Any] | None:
    # One parameter at a time: an annotation that only a type checker can resolve must not take the others
    # with it.
    holder = types.SimpleNamespace(__annotations__={name: annotation})
    try:
        hints = get_type_hints(holder, globalns=getattr(function, "__globals__", {}), include_extras=True)
        return TypeAdapter(hints[name])
    except (NameError, TypeError, AttributeError, PydanticSchemaGenerationError, PydanticUndefinedAnnotation):
        return None


def _failing_module(error: Exception, asked_for: str) -> str:
    """Return the tasks module in which the import broke, read from the traceback."""
    trace, found = error.__traceback__, asked_for
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module == asked_for or module.endswith(f".{asked_for}"):
            found = module
        trace = trace.tb_next
    return found
