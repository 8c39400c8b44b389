"""Params as people may see them: passwords hidden, and all of them when nobody knows which are passwords."""

from __future__ import annotations

from typing import Any

from scheduling.domain.handlers import catalogue
from scheduling.domain.param_secrets import Schema, hidden, masked

#: The schema of each handler that was asked for; making one takes longer than reading a task.
Schemas = dict[str, Schema | None]


def shown_params(handler: str, params: Any, *, schemas: Schemas | None = None) -> Any:
    """Return stored ``params`` fit for showing to anybody.

    The handler's schema says what is a password. Of a handler that is not installed here it is not known: then there
    is a mask for every value. ``schemas`` keeps the schemas for the next call.
    """
    known = {} if schemas is None else schemas
    if handler not in known:
        spec = catalogue.get(handler)
        known[handler] = None if spec is None else spec.params_schema()
    schema = known[handler]
    return hidden(params) if schema is None else masked(params, schema, schema)
