"""Finds the handlers of this installation: built in, plugged in by a package, or named in the settings."""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from pydantic import BaseModel

from scheduling.domain.handlers import HandlerAlreadyRegisteredError, catalogue
from workers.handlers.base import Handler, exception_message

#: The group in which a package announces its handlers: ``name = "package.module:Class"``.
ENTRY_POINT_GROUP = "rota.handlers"

BUILT_IN = (
    "workers.handlers.http.HttpHandler",
    "workers.handlers.shell.ShellHandler",
    "workers.handlers.sql.SqlHandler",
    "workers.handlers.python.PythonHandler",
)

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")


class HandlerRegistrationError(ImproperlyConfigured):
    """A handler cannot be used. The message names it and where it comes from."""


@lru_cache(maxsize=1)
def load_handlers() -> dict[str, Handler[Any]]:
    """Return every handler of this installation by name, loaded once for each process.

    Built-in ones come first, then those of installed packages (entry points of the group ``rota.handlers``),
    then the dotted paths in ``WORKERS["HANDLERS"]``. Raises HandlerRegistrationError for one that cannot be
    imported, is not a handler, or claims a name that is taken.
    """
    handlers: dict[str, Handler[Any]] = {}
    origins: dict[str, str] = {}
    for origin, found in _announced():
        handler = _checked(origin, found)
        taken = handlers.get(handler.name)
        if taken is None:
            handlers[handler.name] = handler
            origins[handler.name] = origin
        elif type(taken) is not type(handler):
            raise HandlerRegistrationError(
                f"Two handlers are named {handler.name!r}: {origins[handler.name]} and {origin}."
            )
    return handlers


def register_with_scheduling() -> None:
    """Tell scheduling's catalogue about every handler. Raises HandlerRegistrationError."""
    for handler in load_handlers().values():
        try:
            catalogue.register(handler)
        except HandlerAlreadyRegisteredError as error:
            raise HandlerRegistrationError(str(error)) from error


def _announced() -> Iterator[tuple[str, Any]]:
    """Yield where each handler comes from, in words, and what was found there."""
    for path in BUILT_IN:
        yield path, _imported(path, path)
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        distribution = entry.dist.name if entry.dist is not None else "an unnamed package"
        origin = f"{entry.value} (entry point {entry.name!r} of {distribution})"
        try:
            yield origin, entry.load()
        except Exception as error:  # a plug-in may raise anything when it is imported
            raise _broken(origin, error) from error
    for path in getattr(settings, "WORKERS", {}).get("HANDLERS", ()):
        yield f"{path} (WORKERS['HANDLERS'])", _imported(f"{path} (WORKERS['HANDLERS'])", path)


def _imported(origin: str, path: str) -> Any:
    try:
        return import_string(path)
    except Exception as error:
        raise _broken(origin, error) from error


def _checked(origin: str, found: Any) -> Handler[Any]:
    try:
        handler = found() if isinstance(found, type) else found
    except Exception as error:
        raise _broken(origin, error) from error
    if not isinstance(handler, Handler):
        raise HandlerRegistrationError(f"{origin} is not a handler: derive it from workers.handlers.base.Handler.")
    name = getattr(handler, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise HandlerRegistrationError(
            f"The handler {origin} is named {name!r}; a name is a lower-case word of at most 50 characters."
        )
    params = getattr(handler, "Params", None)
    if not (isinstance(params, type) and issubclass(params, BaseModel)):
        raise HandlerRegistrationError(f"The handler {origin} has no pydantic model named Params.")
    if params.model_config.get("extra") != "forbid":
        raise HandlerRegistrationError(
            f"The Params of the handler {origin} must forbid extra fields: derive them from "
            "workers.handlers.base.HandlerParams."
        )
    return handler


def _broken(origin: str, error: Exception) -> HandlerRegistrationError:
    return HandlerRegistrationError(f"The handler {origin} could not be loaded: {exception_message(error)}")
