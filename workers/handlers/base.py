"""The interface that every handler implements, built in or plugged in."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from scheduling.domain.errors import gettext_noop as _n
from scheduling.domain.handlers import ParamError
from scheduling.stored_sentences import retold
from workers.handlers.context import HandlerContext, LogSink, Progress
from workers.handlers.errors import (
    CancelMe,
    GiveUp,
    HandlerCancelled,
    HandlerError,
    HandlerTimedOut,
    RetryIn,
    TryLater,
    WorkStopped,
)

__all__ = [
    "CancelMe",
    "GiveUp",
    "Handler",
    "HandlerCancelled",
    "HandlerContext",
    "HandlerError",
    "HandlerParams",
    "HandlerTimedOut",
    "LogSink",
    "Progress",
    "RetryIn",
    "TryLater",
    "WorkStopped",
    "exception_message",
    "invalid_params",
]


#: What pydantic says in English about values of the wrong kind, for readers of other languages.
PYDANTIC_SAYS = (
    _n("Input should be a valid string"),
    _n("Input should be a valid integer"),
    _n("Input should be a valid integer, unable to parse string as an integer"),
    _n("Input should be a valid integer, got a number with a fractional part"),
    _n("Input should be a valid number"),
    _n("Input should be a valid number, unable to parse string as a number"),
    _n("Input should be a valid boolean"),
    _n("Input should be a valid boolean, unable to interpret input"),
    _n("Input should be a valid list"),
    _n("Input should be a valid dictionary"),
    _n("Input should be greater than %(limit)s"),
    _n("Input should be greater than or equal to %(limit)s"),
    _n("Input should be less than %(limit)s"),
    _n("Input should be less than or equal to %(limit)s"),
    _n("Input should be %(expected)s"),
    _n("String should have at least %(least)d character"),
    _n("String should have at least %(least)d characters"),
    _n("String should have at most %(most)d characters"),
    _n("List should have at least %(least)d item after validation, not %(count)d"),
    _n("List should have at most %(most)d items after validation, not %(count)d"),
)


class HandlerParams(BaseModel):
    """What a handler's params derive from: a field that is not defined is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


P = TypeVar("P", bound=BaseModel)


class Handler(ABC, Generic[P]):
    """Runs one kind of task.

    A subclass sets ``name``, ``label`` and ``Params`` and defines ``run``; one object serves all executions
    of a process, from many threads at once, so it keeps nothing of an execution in itself.
    """

    #: The word that tasks store; lower case, and never changed afterwards.
    name: ClassVar[str]
    #: The model of the params; it must forbid extra fields.
    Params: type[P]
    #: Whether a worker that is started without a list of handlers runs this one.
    enabled_by_default: ClassVar[bool] = True
    #: Whether it runs processes of its own, to which a task's limits of processes apply.
    runs_processes: bool = False

    @property
    @abstractmethod
    def label(self) -> str:
        """A title for people, in the language that is active now. A plain class attribute will do."""

    @abstractmethod
    def run(self, context: HandlerContext, params: P) -> Any:
        """Do the work and return its result, which JSON can express in at most 1 MiB.

        Raises HandlerError (RetryIn, TryLater and GiveUp among them), HandlerTimedOut, HandlerCancelled or CancelMe;
        any other error is a failure too, with its traceback in the log.
        """

    def parse(self, params: Mapping[str, Any]) -> P:
        """Return stored params as the model, with its defaults.

        Raises HandlerError("invalid_params"): a task may have been saved before the handler changed.
        """
        if errors := self.check_params(params):
            raise invalid_params(errors)
        return self.Params.model_validate(dict(params))

    def params_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the params, with its texts in the language that is active now."""
        schema: dict[str, Any] = _translated(self.Params.model_json_schema())
        return schema

    def check_params(self, params: Mapping[str, Any]) -> list[ParamError]:
        """Return everything that is wrong with the params, each with its place; often an empty list."""
        return self.check_fields(params) or self.check_model(self.Params.model_validate(dict(params)))

    def check_fields(self, params: Mapping[str, Any]) -> list[ParamError]:
        """Return what the model of the params alone says is wrong."""
        try:
            self.Params.model_validate(dict(params))
        except ValidationError as error:
            return [ParamError(_path(detail["loc"], params), _sentence(detail)) for detail in error.errors()]
        return []

    def check_model(self, params: P) -> list[ParamError]:
        """Return what is wrong with params whose fields are fine each by itself. To be overridden."""
        return []

    def check_names(self, params: Mapping[str, Any], namespace_id: int) -> list[ParamError]:
        """Return what checked params name that is not there in this namespace. To be overridden.

        It is asked when a task is saved or run with other params, where there is a database, and not by workers.
        """
        return []

    def why_no_process_limits(self, params: Mapping[str, Any]) -> str:
        """Return why limits of processes cannot hold for these params, as a sentence; empty when they can."""
        if self.runs_processes:
            return ""
        return gettext("This holds for work in processes of its own only; %(handler)s has none.") % {
            "handler": self.label
        }

    def normalise(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the params as plain JSON values; what was not given stays out. Raises ValueError."""
        model = self.Params.model_validate(dict(params))
        return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def invalid_params(errors: list[ParamError]) -> HandlerError:
    """Return the error for params that were saved and no longer fit."""
    message = gettext("The task's params do not fit its handler: %(errors)s") % {"errors": "; ".join(map(str, errors))}
    return HandlerError("invalid_params", message, retryable=False)


def exception_message(error: BaseException) -> str:
    """Return an error as Python names it: ``ZeroDivisionError: division by zero``."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - its class may say anything, also nothing
        text = ""
    return f"{name}: {text}" if text else name


def _path(location: tuple[int | str, ...], params: object) -> tuple[str | int, ...]:
    """Return where in the params the error is: pydantic's location without the names of a union's members."""
    path: list[str | int] = []
    here = params
    for number, part in enumerate(location, start=1):
        if isinstance(here, Mapping):
            if part in here:
                here = here[part]
            elif number < len(location):
                continue
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _sentence(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return gettext("Field required")
        case "extra_forbidden":
            return gettext("There is no such field")
        case "value_error":
            # What our own validators say, without pydantic's prefix.
            return str(detail["ctx"]["error"])
        case _:
            return retold(detail["msg"])


def _translated(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: gettext(value)
            if key in {"title", "description"} and isinstance(value, str) and value
            else _translated(value)
            for key, value in node.items()
        }
    return [_translated(item) for item in node] if isinstance(node, list) else node
