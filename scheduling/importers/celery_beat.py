"""django-celery-beat's periodic tasks as definitions. Source: the documentation and column names of that package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from scheduling.domain.triggers.registry import TriggerSpec, build_trigger
from scheduling.importers.celery_crontab import cron_of_crontab
from scheduling.importers.celery_tables import CLOCKED, CRONTAB, INTERVAL, CeleryTables
from scheduling.importers.function_map import FunctionMap
from scheduling.importers.result import CannotCarryOver, Imported, Row
from scheduling.services.definitions.fields import write_plain

#: What Celery itself puts into the table, for Celery itself.
_CELERYS_OWN = frozenset({"celery.backend_cleanup"})

_PERIOD_SECONDS = {
    "days": Decimal(86400),
    "hours": Decimal(3600),
    "minutes": Decimal(60),
    "seconds": Decimal(1),
    "microseconds": Decimal("0.000001"),
}
_HIGHEST_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class _Source:
    tables: CeleryTables
    functions: FunctionMap
    namespace: str
    now: datetime


def import_celery_beat(tables: CeleryTables, *, functions: FunctionMap, namespace: str, now: datetime) -> Imported:
    """Return the definitions of all rows that can be carried over, and notes about what cannot.

    ``now`` decides which single runs lie ahead.
    """
    source = _Source(tables, functions, namespace, now)
    found = Imported(rows=len(tables.tasks))
    for row in tables.tasks:
        label = f"{row['id']} “{row.get('name') or row.get('task') or ''}”"
        try:
            found.definitions[label] = _definition(source, found, label, row)
        except CannotCarryOver as error:
            found.skip(label, str(error))
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            found.skip(label, _("the row cannot be read: %(why)s.") % {"why": f"{type(error).__name__}: {error}"})
    return found


def _definition(source: _Source, found: Imported, label: str, row: Row) -> dict[str, Any]:
    if row["task"] in _CELERYS_OWN:
        raise CannotCarryOver(_("it is Celery's own housekeeping, and not needed here."))
    args, kwargs = _json(row, "args", list), _json(row, "kwargs", dict)
    params = source.functions.params(row["task"], args, kwargs)
    trigger = _trigger(source, found, label, row)
    definition: dict[str, Any] = {
        "kind": "task",
        "namespace": source.namespace,
        "name": found.free_name(label, row["name"], row["id"]),
        **({"description": row["description"]} if row.get("description") else {}),
        **({} if row["enabled"] else {"enabled": False}),
        "handler": "python",
        "params": params,
        **trigger,
    }
    if row.get("start_time"):
        definition["starts_at"] = write_plain(row["start_time"])
    if row.get("expires"):
        definition["ends_at"] = write_plain(row["expires"])
    if row.get("priority") is not None:
        definition["priority"] = min(int(row["priority"]), _HIGHEST_PRIORITY)
        found.note(label, _("its priority is carried over as RabbitMQ reads it: a higher number goes first."))
    if row.get("queue"):
        definition["queue"] = row["queue"]
    for column in ("exchange", "routing_key", "expire_seconds"):
        if row.get(column) not in (None, ""):
            found.note(
                label, _("%(column)s “%(value)s” is not carried over.") % {"column": column, "value": row[column]}
            )
    if row.get("headers") not in (None, "", "{}", {}):
        found.note(label, _("its message headers are not carried over."))
    return definition


def _trigger(source: _Source, found: Imported, label: str, row: Row) -> dict[str, Any]:
    schedules = source.tables.schedules
    if row.get("solar_id") is not None:
        raise CannotCarryOver(_("it follows the sun, for which there is no trigger here."))
    if row.get("clocked_id") is not None:
        moment = _schedule(schedules[CLOCKED], row["clocked_id"])["clocked_time"]
        if moment <= source.now:
            raise CannotCarryOver(_("its one moment, %(moment)s, has passed.") % {"moment": write_plain(moment)})
        return {"trigger": "once", "run_at": write_plain(moment)}
    if row.get("interval_id") is not None:
        trigger = _interval(row, _schedule(schedules[INTERVAL], row["interval_id"]))
        anchor = row.get("last_run_at") or row.get("start_time") or source.now
        spec = TriggerSpec(kind="interval", every_seconds=trigger["every_seconds"], anchor=anchor)
    elif row.get("crontab_id") is not None:
        trigger = _crontab(found, label, _schedule(schedules[CRONTAB], row["crontab_id"]))
        spec = TriggerSpec(
            kind="cron", cron_expression=trigger["cron_expression"], timezone=trigger.get("timezone", "UTC")
        )
    else:
        raise CannotCarryOver(_("it has no schedule."))
    if row.get("one_off"):
        return _one_off(source, found, label, row, trigger, spec)
    return trigger


def _interval(row: Row, schedule: Row) -> dict[str, Any]:
    if schedule["period"] not in _PERIOD_SECONDS:
        raise CannotCarryOver(_("“%(unit)s” is no unit of an interval.") % {"unit": schedule["period"]})
    seconds = Decimal(schedule["every"]) * _PERIOD_SECONDS[schedule["period"]]
    if seconds < Decimal("0.1") or seconds != round(seconds, 3):
        raise CannotCarryOver(_("an interval of %(seconds)s s is too short or too fine.") % {"seconds": seconds})
    whole = seconds == int(seconds)
    trigger: dict[str, Any] = {"trigger": "interval", "every_seconds": int(seconds) if whole else float(seconds)}
    # Celery counts from the last run; as the anchor it keeps the rhythm.
    if anchor := row.get("last_run_at") or row.get("start_time"):
        trigger["anchor_at"] = write_plain(anchor.replace(microsecond=0))
    return trigger


def _crontab(found: Imported, label: str, schedule: Row) -> dict[str, Any]:
    names = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")
    expression = cron_of_crontab(**{name: str(schedule[name]) for name in names})
    trigger: dict[str, Any] = {"trigger": "cron", "cron_expression": expression}
    if schedule.get("timezone"):
        trigger["timezone"] = str(schedule["timezone"])
    else:
        found.note(label, _("its crontab names no time zone; it is read as UTC."))
    return trigger if trigger.get("timezone") != "UTC" else {k: v for k, v in trigger.items() if k != "timezone"}


def _one_off(
    source: _Source, found: Imported, label: str, row: Row, trigger: dict[str, Any], spec: TriggerSpec
) -> dict[str, Any]:
    if row.get("total_run_count"):
        raise CannotCarryOver(_("it was to run once, and has run."))
    after = max(source.now, row.get("start_time") or source.now)
    fire = build_trigger(spec).next_after(after)
    if fire is None:
        raise CannotCarryOver(_("it was to run once, and its schedule yields no moment any more."))
    found.note(label, _("it runs once; its schedule became the one moment %(moment)s.") % {"moment": write_plain(fire)})
    zone = {"timezone": trigger["timezone"]} if "timezone" in trigger else {}
    return {"trigger": "once", "run_at": write_plain(fire), **zone}


def _schedule(schedules: dict[int, dict[str, Any]], pk: int) -> Row:
    if pk not in schedules:
        raise CannotCarryOver(_("its schedule %(number)d is missing.") % {"number": pk})
    return schedules[pk]


def _json(row: Row, column: str, kind: type) -> Any:
    value = row.get(column)
    try:
        value = json.loads(value) if isinstance(value, str) and value.strip() else value
    except ValueError:
        raise CannotCarryOver(_("its %(column)s are not JSON.") % {"column": column}) from None
    if value in (None, ""):
        return kind()
    if not isinstance(value, kind):
        raise CannotCarryOver(_("its %(column)s are not what Celery expects there.") % {"column": column})
    return value
