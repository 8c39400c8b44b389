"""Which registered function stands for a job of another scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from scheduling.importers.result import CannotCarryOver
from scheduling.services.definitions import read_paths


@dataclass(frozen=True, slots=True)
class FunctionMap:
    """The functions by the job's old name: ``(function, names of its positional arguments)``.

    A job that is not in it keeps its name as the function's.
    """

    functions: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def params(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the params of the python handler; raises CannotCarryOver when ``args`` have no names."""
        function, names = self.functions.get(name, (name, ()))
        if len(args) > len(names):
            raise CannotCarryOver(
                _("it has %(count)d positional arguments; name them in the function map of “%(name)s”.")
                % {"count": len(args), "name": name}
            )
        merged = {**dict(zip(names, args, strict=False)), **kwargs}
        return {"function": function, **({"kwargs": merged} if merged else {})}


def read_function_map(path: Path) -> FunctionMap:
    """Read ``old.name: new.function`` or ``old.name: {function: …, args: [first, second]}``, YAML or JSON.

    Raises CannotCarryOver.
    """
    documents = read_paths([path])
    if documents.problems:
        raise CannotCarryOver("\n".join(map(str, documents.problems)))
    functions = {}
    for document in documents.objects:
        for name, value in document.body.items():
            given = {"function": value} if isinstance(value, str) else value
            function = given.get("function", name) if isinstance(given, dict) else None
            args = given.get("args", []) if isinstance(given, dict) else None
            if not isinstance(function, str) or not isinstance(args, list) or not all(isinstance(a, str) for a in args):
                sentence = _("“%(name)s” needs the name of a function, or an object with function and args.")
                raise CannotCarryOver(f"{document.place}: {sentence % {'name': name}}")
            functions[name] = (function, tuple(args))
    return FunctionMap(functions)
