"""What scheduling must know of a handler: enough to check and describe a task's params.

How it runs is no business of scheduling's. Workers put their handlers in here at start-up, so that scheduling
never has to import them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class ParamError:
    """One thing that is wrong with a task's params: the keys and indexes that lead to it, and a sentence."""

    path: tuple[str | int, ...]
    message: str

    def __str__(self) -> str:
        """Return the error as one line, for example ``params.url: Field required``."""
        return f"{'.'.join(['params', *map(str, self.path)])}: {self.message}"


class HandlerSpec(Protocol):
    """The side of a handler that scheduling sees."""

    @property
    def name(self) -> str:
        """The word that a task stores, for example ``http``."""

    @property
    def label(self) -> str:
        """A title for people, in the language that is active now."""

    def params_schema(self) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of the params."""

    def check_params(self, params: Mapping[str, Any]) -> list[ParamError]:
        """Return everything that is wrong with these params; an empty list when they can be saved."""

    def check_names(self, params: Mapping[str, Any], namespace_id: int) -> list[ParamError]:
        """Return what checked params name that is not there in this namespace, such as a connection."""

    @property
    def runs_processes(self) -> bool:
        """Whether it runs processes of its own, to which limits of processes can apply."""

    def why_no_process_limits(self, params: Mapping[str, Any]) -> str:
        """Return why limits of processes cannot hold for these params, as a sentence; empty when they can."""

    def normalise(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return checked params as plain JSON values; what was not given stays out.

        Raises ValueError when the params are not valid.
        """


class HandlerAlreadyRegisteredError(ValueError):
    """Two handlers claim one name."""

    def __init__(self, name: str) -> None:
        """Remember the name that is claimed twice."""
        super().__init__(f"A handler named {name!r} is already registered.")
        self.name = name


@dataclass
class HandlerCatalogue:
    """The handlers of this process by name."""

    _specs: dict[str, HandlerSpec] = field(default_factory=dict)

    def register(self, spec: HandlerSpec) -> None:
        """Add a handler; the same object twice is fine, another one under a taken name is refused.

        Raises HandlerAlreadyRegisteredError.
        """
        if self._specs.setdefault(spec.name, spec) is not spec:
            raise HandlerAlreadyRegisteredError(spec.name)

    def get(self, name: str) -> HandlerSpec | None:
        """Return the handler of that name, or None when this process knows none."""
        return self._specs.get(name)

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._specs)


#: The catalogue of this process.
catalogue = HandlerCatalogue()
