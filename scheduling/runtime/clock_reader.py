"""Reading clocks ahead of time: what a scheduler knows of a task in order to fire it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from scheduling.db import Connection
from scheduling.domain.calendars import TaskCalendars
from scheduling.domain.errors import InvalidField
from scheduling.domain.jitter import jitter_of
from scheduling.domain.states import Reason
from scheduling.engine.fire import Tick
from scheduling.engine.rearm import Awaiting, Rearming
from scheduling.runtime.definitions import Definition, Definitions
from scheduling.runtime.edited_clocks import EditedClocks

_CLOCKS = """
SELECT k.task_id, k.next_run_at, k.planned_from, t.xmin::text,
    ARRAY(SELECT c.calendar_id FROM rota_task_calendar c WHERE c.task_id = k.task_id ORDER BY c.calendar_id), t.version
FROM rota_task_clock k JOIN rota_task t ON t.id = k.task_id
"""
_WINDOW = (
    _CLOCKS
    + "WHERE k.next_run_at <= %(until)s AND (k.next_run_at, k.task_id) > (%(after)s, %(after_id)s) AND NOT k.dirty "
    + "AND t.enabled ORDER BY k.next_run_at, k.task_id LIMIT %(limit)s"
)
_SOME = _CLOCKS + "WHERE k.task_id = ANY(%(ids)s) AND k.next_run_at IS NOT NULL AND NOT k.dirty AND t.enabled"
_STATES = "SELECT id, xmin::text FROM rota_task WHERE id = ANY(%(ids)s)"
_ERROR = "UPDATE rota_task_clock SET error = %(error)s WHERE task_id = %(id)s AND awaits_end"


class Place(NamedTuple):
    """A place in the order in which clocks come due."""

    next_run_at: datetime
    task_id: int


BEGINNING = Place(datetime.min.replace(tzinfo=UTC), 0)


@dataclass(kw_only=True, slots=True)
class KnownClock:
    """One clock as it was read, with the definition and the calendars that decide its next tick."""

    task_id: int
    next_run_at: datetime | None
    #: No tick at or before this moment is planned.
    floor: datetime
    #: The version of the task as it was read.
    version: int
    definition: Definition
    calendars: TaskCalendars | None = None

    @property
    def follows_end(self) -> bool:
        """Whether the tick after this one counts from the end of its instance."""
        return self.definition.delay is not None

    def tick(self, now: datetime) -> Tick:
        """Return what to do about the clock's tick at ``now``, by the task's policies."""
        assert self.next_run_at is not None  # noqa: S101 - only clocks with a next run are fired
        definition = self.definition
        plan = definition.plan(self.next_run_at, now, floor=self.floor, calendars=self.calendars)
        run_at = None
        if definition.jitter_seconds and plan.runs:
            later = jitter_of(self.task_id, plan.fire_for, definition.jitter_seconds, plan.next_run_at)
            run_at = plan.fire_for + later
        return Tick(
            task_id=self.task_id,
            expect=self.next_run_at,
            planned_from=self.floor,
            # A tick that was due when the schedule was edited stays where it was; another edit may leave both the same.
            version=self.version if self.floor >= self.next_run_at else None,
            next_run_at=plan.next_run_at,
            fire_for=plan.fire_for,
            run_at=run_at,
            runs=plan.runs,
            reason=Reason.MISFIRE if plan.blackout is None else Reason.CALENDAR,
            missed_count=plan.missed_count if plan.missed_since else None,
            missed_since=plan.missed_since,
            message=plan.message if plan.missed_since or not plan.runs else "",
        )

    def warm_up(self) -> None:
        """Compute what the next tick needs now, so that it costs nothing at the moment of firing."""
        if self.next_run_at is not None and not self.follows_end:
            self.definition.trigger.next_after(max(self.next_run_at, self.floor))
        if self.next_run_at is not None and self.calendars is not None:
            self.calendars.blackout(self.next_run_at)


class ClockReader:
    """Reads clocks without locking anything; remembers the definitions of their tasks."""

    def __init__(self) -> None:
        self._definitions = Definitions()
        self.edited = EditedClocks(self._definitions)

    def forget_calendars(self) -> None:
        """Read calendars anew with the next clocks: they may have been edited."""
        self._definitions.forget_calendars()

    def window(
        self, conn: Connection, *, until: datetime, limit: int, after: Place = BEGINNING
    ) -> tuple[list[KnownClock], Place | None]:
        """Read the clocks that are due by ``until`` and lie after a place in their order, at most ``limit`` of them.

        Returns them and the place to go on at; None: there are no more.
        """
        params = {"until": until, "limit": limit, "after": after.next_run_at, "after_id": after.task_id}
        rows = conn.execute(_WINDOW, params).fetchall()
        place = Place(rows[-1][1], rows[-1][0]) if len(rows) == limit else None
        return self._clocks(conn, rows), place

    def some(self, conn: Connection, task_ids: Collection[int]) -> list[KnownClock]:
        """Read the clocks of ``task_ids`` anew, those that have a next run."""
        return self._clocks(conn, conn.execute(_SOME, {"ids": list(task_ids)}).fetchall())

    def rearmings(self, conn: Connection, ends: Sequence[tuple[Awaiting, datetime]]) -> list[Rearming]:
        """Return what the clocks of fixed delays shall show after their instances ended at these moments.

        A delay that cannot be understood any more leaves its clock waiting, with the reason beside it.
        """
        self.delays(conn, [clock for clock, _ in ends])
        rearmings = []
        for clock, ended_at in ends:
            definition = self._definitions.get(clock.task_id)
            if isinstance(definition, Definition):
                # Not before the last edit: what a new delay would have yielded before it was given was not missed.
                after = definition.trigger.next_after(ended_at)
                rearmings.append(Rearming(clock, after if after is None else max(after, clock.planned_from)))
            elif isinstance(definition, InvalidField):
                conn.execute(_ERROR, {"id": clock.task_id, "error": str(definition)})
        return rearmings

    def delays(self, conn: Connection, clocks: Sequence[Awaiting]) -> list[float]:
        """Return the fixed delays of ``clocks`` in seconds, as far as they can be understood."""
        rows = conn.execute(_STATES, {"ids": [clock.task_id for clock in clocks]}).fetchall() if clocks else []
        self._definitions.learn(conn, rows)
        found = [self._definitions.get(row[0]) for row in rows]
        return [each.delay.total_seconds() for each in found if isinstance(each, Definition) and each.delay]

    def _clocks(self, conn: Connection, rows: Sequence[Sequence[Any]]) -> list[KnownClock]:
        definitions = self._definitions
        definitions.learn(conn, [(row[0], row[3]) for row in rows])
        definitions.learn_calendars(conn, {each for row in rows for each in row[4]})
        clocks = []
        for task_id, next_run_at, planned_from, _, calendar_ids, version in rows:
            definition = definitions.get(task_id)
            if isinstance(definition, Definition):
                calendars = definitions.calendars(calendar_ids, definition.timezone) if calendar_ids else None
                clocks.append(
                    KnownClock(
                        task_id=task_id,
                        next_run_at=next_run_at,
                        floor=planned_from,
                        version=version,
                        definition=definition,
                        calendars=calendars,
                    )
                )
        return clocks
