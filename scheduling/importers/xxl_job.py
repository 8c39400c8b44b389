"""XXL-JOB's jobs as definitions. Source: XXL-JOB's documentation and the columns of its ``xxl_job_info``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from scheduling.importers.function_map import FunctionMap
from scheduling.importers.mysql_dump import DumpedRows
from scheduling.importers.quartz_cron import cron_of_quartz
from scheduling.importers.result import CannotCarryOver, Imported, Row

_CATCH_UP = {"DO_NOTHING": "none", "FIRE_ONCE_NOW": "latest"}
_OVERLAP = {"SERIAL_EXECUTION": "queue_all", "DISCARD_LATER": "skip", "COVER_EARLY": "cancel_running"}
_DEFAULT_ROUTES = frozenset({"", "FIRST"})


def import_xxl_job(dumped: DumpedRows, *, functions: FunctionMap, namespace: str, timezone: str) -> Imported:
    """Return the definitions of all rows that can be carried over, and notes about what cannot.

    XXL-JOB fires in the time zone of its server, which no table says: ``timezone``.
    """
    found = Imported(rows=len(dumped.rows) + len(dumped.problems))
    for problem in dumped.problems:
        found.skip("?", problem)
    for position, row in enumerate(dumped.rows, start=1):
        label = f"{row.get('id', position)} “{row.get('job_desc') or ''}”"
        while label in found.definitions:
            label += "'"
        try:
            found.definitions[label] = _definition(found, label, row, functions, namespace, timezone)
        except CannotCarryOver as error:
            found.skip(label, str(error))
        except (KeyError, TypeError, ValueError) as error:
            found.skip(label, _("the row cannot be read: %(why)s.") % {"why": f"{type(error).__name__}: {error}"})
    return found


def _definition(
    found: Imported, label: str, row: Row, functions: FunctionMap, namespace: str, timezone: str
) -> dict[str, Any]:
    work = _work(row, functions)
    trigger = _trigger(row, timezone)
    definition: dict[str, Any] = {
        "kind": "task",
        "namespace": namespace,
        "name": found.free_name(label, _text(row, "job_desc"), row.get("id") or label),
        "description": _description(row),
        **({} if _number(row, "trigger_status") else {"enabled": False}),
        **work,
        **trigger,
    }
    if misfire := _text(row, "misfire_strategy"):
        definition["catch_up"] = _choice(_CATCH_UP, "misfire_strategy", misfire)
    if block := _text(row, "executor_block_strategy"):
        definition["overlap"] = _choice(_OVERLAP, "executor_block_strategy", block)
    if timeout := _number(row, "executor_timeout"):
        definition["timeout_seconds"] = timeout
    if retries := _number(row, "executor_fail_retry_count"):
        definition["max_attempts"] = retries + 1
    _note_the_rest(found, label, row)
    return definition


def _trigger(row: Row, timezone: str) -> dict[str, Any]:
    # Before 2.3 there was one column, and cron alone.
    conf = _text(row, "schedule_conf") or _text(row, "job_cron")
    kind = _text(row, "schedule_type") or ("CRON" if conf else "NONE")
    zone = {} if timezone == "UTC" else {"timezone": timezone}
    match kind:
        case "NONE":
            return {}
        case "CRON":
            return {"trigger": "cron", "cron_expression": cron_of_quartz(conf), **zone}
        case "FIX_RATE" | "FIX_DELAY" if conf.isdecimal():
            trigger = "interval" if kind == "FIX_RATE" else "fixed_delay"
            return {"trigger": trigger, "every_seconds": int(conf), **zone}
    raise CannotCarryOver(_("its schedule “%(kind)s %(conf)s” is not known.") % {"kind": kind, "conf": conf})


def _work(row: Row, functions: FunctionMap) -> dict[str, Any]:
    glue, param = _text(row, "glue_type") or "BEAN", _text(row, "executor_param", strip=False)
    if glue == "BEAN":
        handler = _text(row, "executor_handler")
        if not handler:
            raise CannotCarryOver(_("it names no handler."))
        return {"handler": "python", "params": functions.params(handler, [], {"param": param} if param else {})}
    if glue == "GLUE_SHELL":
        source = _text(row, "glue_source", strip=False).replace("\r\n", "\n")
        if not source.strip():
            raise CannotCarryOver(_("its script is empty."))
        if not param:
            return {"handler": "shell", "params": {"command": source}}
        # The script finds its param as $1, as it does there.
        return {"handler": "shell", "params": {"argv": ["/bin/sh", "-c", source, "xxl-job", param]}}
    raise CannotCarryOver(_("it is a script of the kind %(kind)s, for which there is no handler.") % {"kind": glue})


def _note_the_rest(found: Imported, label: str, row: Row) -> None:
    route = _text(row, "executor_route_strategy")
    if route == "SHARDING_BROADCAST":
        found.note(label, _("SHARDING_BROADCAST ran it on every executor; here one worker runs it, once."))
    elif route not in _DEFAULT_ROUTES:
        found.note(label, _("the routing %(route)s is not carried over: any free worker takes it.") % {"route": route})
    if children := _text(row, "child_jobid"):
        found.note(
            label, _("it starts the jobs %(ids)s when it succeeds; that is not carried over.") % {"ids": children}
        )
    if email := _text(row, "alarm_email"):
        found.note(label, _("failures are not mailed to %(email)s.") % {"email": email})
    if _text(row, "glue_type") == "GLUE_SHELL":
        found.note(label, _("its script runs only on workers that are started with the shell handler."))


def _description(row: Row) -> str:
    parts = [_("XXL-JOB job %(id)s, group %(group)s.") % {"id": row.get("id"), "group": row.get("job_group")}]
    if author := _text(row, "author"):
        parts.append(_("Author: %(author)s.") % {"author": author})
    return " ".join(parts)


def _choice(values: Mapping[str, str], column: str, value: str) -> str:
    if value not in values:
        raise CannotCarryOver(_("its %(column)s “%(value)s” is not known.") % {"column": column, "value": value})
    return values[value]


def _text(row: Row, column: str, *, strip: bool = True) -> str:
    value = row.get(column)
    text = "" if value is None else str(value)
    return text.strip() if strip else text


def _number(row: Row, column: str) -> int:
    text = _text(row, column)
    return max(int(text), 0) if text else 0
