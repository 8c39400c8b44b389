"""What schedulers know of tasks: their triggers, policies and calendars, read once for each state of a row."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from scheduling.db import Connection
from scheduling.domain.calendars import Calendar, Effect, Rule, RuleKind, TaskCalendars
from scheduling.domain.errors import InvalidField
from scheduling.domain.misfire import MINIMUM_GRACE, CatchUp, FirePlan, plan_fire
from scheduling.domain.policies import TriggerKind
from scheduling.domain.task_trigger import TRIGGER_FIELDS, spec_of_task
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.once import OnceTrigger
from scheduling.domain.triggers.registry import build_trigger

logger = logging.getLogger(__name__)

#: More definitions than this are forgotten together and read anew; some 200 MB.
MOST_KNOWN = 250_000

# xmin changes with every write of the row, whoever makes it and by whatever means.
_DEFINITIONS = """
SELECT t.id, t.xmin::text, t.created_at, t.trigger, t.cron_expression, t.timezone, t.every_seconds, t.anchor_at,
    t.run_at, t.dst_gap, t.dst_fold, t.starts_at, t.ends_at, t.catch_up, t.misfire_grace_seconds, t.max_catch_up,
    t.jitter_seconds
FROM rota_task t WHERE t.id = ANY(%(ids)s)
"""

_RULES = """
SELECT c.id, c.name, r.effect, r.kind, r.first_day, r.last_day, r.month, r.day, r.weekdays, r.from_time, r.until_time,
    r.note
FROM rota_calendar c LEFT JOIN rota_calendar_rule r ON r.calendar_id = c.id
WHERE c.id = ANY(%(ids)s) ORDER BY c.id, r.id
"""


# Compared by identity: equal ones are the same object, and a herd of tasks shares the answers of a few.
@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Definition:
    """The part of a task that decides about its ticks."""

    trigger: Trigger
    timezone: str
    catch_up: CatchUp
    grace: timedelta | None
    max_catch_up: int
    jitter_seconds: int = 0
    #: Set for a fixed delay: the next tick counts from the end of this one's instance.
    delay: timedelta | None = None

    def plan(
        self, due: datetime, now: datetime, *, floor: datetime | None, calendars: TaskCalendars | None
    ) -> FirePlan:
        """Return what becomes of the tick ``due`` at the moment ``now``; see `plan_fire`."""
        return _remembered_plan(self, due, now, None if floor is None or floor <= due else floor, calendars)

    def find_plan(
        self, due: datetime, now: datetime, floor: datetime | None, calendars: TaskCalendars | None
    ) -> FirePlan:
        """Decide what becomes of the tick ``due`` at the moment ``now``."""
        trigger, grace = self.trigger, self.grace
        if self.delay is not None:
            # However long nobody could fire it, one tick of a fixed delay was missed and not several.
            trigger = OnceTrigger(due)
            grace = max(MINIMUM_GRACE, self.delay / 10) if grace is None else grace
        return plan_fire(
            due=due,
            now=now,
            trigger=trigger,
            floor=floor,
            catch_up=self.catch_up,
            grace=grace,
            max_catch_up=self.max_catch_up,
            calendars=calendars,
        )


# Tasks that share a schedule are due at the same moments, and a batch is decided at one moment.
@lru_cache(maxsize=1 << 12)
def _remembered_plan(
    definition: Definition, due: datetime, now: datetime, floor: datetime | None, calendars: TaskCalendars | None
) -> FirePlan:
    return definition.find_plan(due, now, floor, calendars)


@lru_cache(maxsize=1 << 14)
def _shared_definition(
    trigger: Trigger,
    timezone: str,
    catch_up: CatchUp,
    grace: timedelta | None,
    max_catch_up: int,
    jitter_seconds: int,
    delay: timedelta | None,
) -> Definition:
    return Definition(
        trigger=trigger,
        timezone=timezone,
        catch_up=catch_up,
        grace=grace,
        max_catch_up=max_catch_up,
        jitter_seconds=jitter_seconds,
        delay=delay,
    )


class Definitions:
    """Definitions by task, and calendars by id; a definition is built anew only when its row was written."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, Definition | InvalidField]] = {}
        self._calendars: dict[int, Calendar] = {}
        self._of_tasks: dict[tuple[tuple[int, ...], str], TaskCalendars] = {}

    def learn(self, conn: Connection, rows: Sequence[tuple[int, str]]) -> None:
        """Read the definitions of the tasks in ``rows`` whose row state, the second part, is another than known."""
        known = self._known
        wanted = [task_id for task_id, state in rows if (held := known.get(task_id)) is None or held[0] != state]
        if not wanted:
            return
        if len(known) + len(wanted) > MOST_KNOWN:
            known.clear()
            # Those among them that were known are asked about as well.
            wanted = [task_id for task_id, _ in rows]
        for row in conn.execute(_DEFINITIONS, {"ids": wanted}).fetchall():
            known[row[0]] = (row[1], _readable(row))

    def learn_calendars(self, conn: Connection, ids: Collection[int]) -> None:
        """Read those of the calendars ``ids`` that are not known yet."""
        wanted = [each for each in ids if each not in self._calendars]
        if not wanted:
            return
        names: dict[int, str] = dict.fromkeys(wanted, "")
        rules: dict[int, list[Rule]] = {each: [] for each in wanted}
        for calendar_id, name, *rule in conn.execute(_RULES, {"ids": wanted}).fetchall():
            names[calendar_id] = name
            if rule[0] is not None and (read := _rule(rule)) is not None:
                rules[calendar_id].append(read)
        for each in wanted:
            self._calendars[each] = Calendar(names[each], tuple(rules[each]))

    def forget_calendars(self) -> None:
        """Read calendars anew when they are asked for next."""
        self._calendars.clear()
        self._of_tasks.clear()

    def get(self, task_id: int) -> Definition | InvalidField | None:
        """Return what is known of a task: the error when its schedule cannot be understood, None if it is gone."""
        held = self._known.get(task_id)
        return None if held is None else held[1]

    def calendars(self, ids: Sequence[int], timezone: str) -> TaskCalendars | None:
        """Return the known calendars ``ids`` on the wall clock of ``timezone``; None for no calendars."""
        if not ids:
            return None
        key = (tuple(ids), timezone)
        found = self._of_tasks.get(key)
        if found is None:
            found = self._of_tasks[key] = TaskCalendars([self._calendars[each] for each in ids], timezone)
        return found


def _readable(row: Sequence[Any]) -> Definition | InvalidField:
    # Planning writes the error beside the clock; one that cannot be read must not stop the others.
    try:
        return _definition(row)
    except InvalidField as error:
        return error
    except ValueError as error:
        return InvalidField("trigger", "%(error)s", {"error": error})


def _definition(row: Sequence[Any]) -> Definition:
    fields = dict(zip(TRIGGER_FIELDS, row[3:13], strict=True))
    catch_up, grace, max_catch_up, jitter_seconds = row[13:17]
    follows_end = fields["trigger"] == TriggerKind.FIXED_DELAY
    return _shared_definition(
        build_trigger(spec_of_task(task_id=row[0], created_at=row[2], **fields)),
        fields["timezone"],
        CatchUp(catch_up),
        None if grace is None else timedelta(seconds=grace),
        max_catch_up,
        jitter_seconds,
        timedelta(seconds=fields["every_seconds"]) if follows_end else None,
    )


def _rule(row: Sequence[Any]) -> Rule | None:
    effect, kind, first_day, last_day, month, day, weekdays, from_time, until_time, note = row
    try:
        return Rule(
            effect=Effect(effect),
            kind=RuleKind(kind),
            first_day=first_day,
            last_day=last_day,
            month=month,
            day=day,
            weekdays=tuple(weekdays or ()),
            from_time=from_time,
            until_time=until_time,
            note=note,
        )
    except ValueError:
        logger.warning("calendar: a rule with effect %r and kind %r is ignored", effect, kind)
        return None
