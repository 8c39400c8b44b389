"""The params of the ``sql`` handler."""

import re
from typing import Annotated

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _n
from pydantic import AfterValidator, Field, JsonValue

from workers.handlers.base import HandlerParams

#: Parameters that every statement may mention without being given them.
OWN_PARAMETERS = frozenset({"rota_idempotency_key", "rota_execution_id"})

#: As in SQLAlchemy's ``text()``: a colon and a name, not after a colon (a cast), a letter or a backslash.
_MENTION = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")


def _with_text(statement: str) -> str:
    if not statement.strip():
        raise ValueError(gettext("A statement is needed"))
    if "\x00" in statement:
        raise ValueError(gettext("A statement cannot contain the character U+0000"))
    return statement


class SqlParams(HandlerParams):
    """A statement, the values it is given, and how much of its answer to keep."""

    connection: str = Field(
        min_length=1, title=_n("Connection"), description=_n("The name of a connection of the namespace.")
    )
    statement: Annotated[str, AfterValidator(_with_text)] = Field(
        title=_n("Statement"),
        description=_n("Values are written :name and given as parameters; a plain colon is written \\:."),
        json_schema_extra={"format": "sql"},
    )
    parameters: dict[str, JsonValue] = Field(default_factory=dict, title=_n("Parameters"))
    read_only: bool = Field(
        default=False,
        title=_n("Read only"),
        description=_n("Guards against mistakes; against malice the connection's own rights must."),
    )
    max_rows: int = Field(default=1000, ge=0, le=100_000, title=_n("Most rows to keep"))

    def mentioned(self) -> set[str]:
        """Return the names of the values that the statement mentions."""
        return set(_MENTION.findall(self.statement))
