"""Checks a task's statement and runs it."""

import difflib
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, ngettext

from scheduling.domain.handlers import ParamError
from workers.domain.connection_names import connection_names
from workers.handlers.base import Handler, HandlerContext
from workers.handlers.context import LOG
from workers.handlers.sql.params import OWN_PARAMETERS, SqlParams

#: So many connections are named to who named another.
MOST_NAMED = 20


class SqlHandler(Handler[SqlParams]):
    """Runs a statement on a named connection: commits when it succeeds, and otherwise rolls back."""

    name = "sql"
    Params = SqlParams

    @property
    def label(self) -> str:
        """The title in the active language."""
        return gettext("SQL statement")

    def check_model(self, params: SqlParams) -> list[ParamError]:
        """Return the values that the statement mentions without being given them, and the other way round."""
        mentioned, given = params.mentioned(), set(params.parameters)
        missing = sorted(mentioned - given - OWN_PARAMETERS)
        errors = [
            ParamError(("parameters", name), gettext("The statement mentions it, but no value is given"))
            for name in missing
        ]
        errors += [
            ParamError(("parameters", name), gettext("The statement does not mention it"))
            for name in sorted(given - mentioned)
        ]
        errors += [
            ParamError(("parameters", name), gettext("This value is given by the handler itself"))
            for name in sorted(given & OWN_PARAMETERS & mentioned)
        ]
        return errors

    def check_names(self, params: Mapping[str, Any], namespace_id: int) -> list[ParamError]:
        """Return that there is no such connection in the namespace, with those that there are."""
        known = connection_names.of(namespace_id)
        given = self.Params.model_validate(dict(params)).connection
        if known is None or given in known:
            return []
        message = gettext("There is no connection “%(name)s” in this namespace.") % {"name": given[:60]}
        if not known:
            hint = gettext("It has none yet: an administrator adds one under Connections.")
        elif near := difflib.get_close_matches(given, known, n=1):
            hint = gettext("Did you mean “%(near)s”?") % {"near": near[0]}
        else:
            shown = ", ".join(known[:MOST_NAMED]) + (", …" if len(known) > MOST_NAMED else "")
            hint = gettext("There are: %(names)s.") % {"names": shown}
        return [ParamError(("connection",), f"{message} {hint}")]

    def run(self, context: HandlerContext, params: SqlParams) -> dict[str, Any]:
        """Execute the statement and return its rows, if it has any.

        Returns ``columns``, ``rows`` (lists, at most ``max_rows`` and what a result can hold), ``row_count``
        (rows read or affected, None when the database does not say) and ``truncated``. Raises HandlerError
        with ``unknown_connection``, ``bad_connection``, ``driver_missing``, ``connection_failed`` or
        ``statement_failed``.
        """
        # Imported late: whoever only checks params need not wait for SQLAlchemy.
        from workers.handlers.sql.execution import execute

        result = execute(context, params)
        context.write(LOG, f"{_summary(result)}\n")
        return result


def _summary(result: dict[str, Any]) -> str:
    if result["row_count"] is None:
        return gettext("Done.")
    template = ngettext("%(count)d row.", "%(count)d rows.", result["row_count"])
    return template % {"count": result["row_count"]}
