"""How much computing it takes to decide about many tasks' ticks; the database is not involved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations, count, cycle, islice

from scheduling.domain.misfire import CatchUp
from scheduling.domain.triggers.registry import TriggerSpec, build_trigger
from scheduling.runtime.clock_reader import KnownClock
from scheduling.runtime.definitions import Definition

#: The first minute that is planned; any other does as well.
MINUTE = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

#: How many distinct expressions there are to choose from.
MOST_EXPRESSIONS = 60 * 59 // 2

_calls = count()


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """What one planning of a minute cost."""

    ticks: int
    #: Seconds of this process's CPU time, with nothing remembered from before: computing when each fires next,
    next_fires_seconds: float
    #: and then deciding by its policies what becomes of each tick.
    decisions_seconds: float


def plan_a_minute(*, tasks: int, expressions: int) -> Planned:
    """Decide about one tick of each of ``tasks`` tasks that share ``expressions`` cron expressions.

    Building the triggers is not counted: it happens once when a task is read, and not for each tick. At most
    `MOST_EXPRESSIONS` are distinct.
    """
    # A minute that no other call in this process has left answers for.
    base = MINUTE + timedelta(minutes=next(_calls))
    definitions = [_definition(expression) for expression in islice(_expressions(), expressions)]
    clocks = [
        KnownClock(
            task_id=number,
            next_run_at=definition.trigger.next_after(base),
            floor=base,
            version=1,
            definition=definition,
        )
        for number, definition in zip(range(tasks), cycle(definitions), strict=False)
    ]
    now = base + timedelta(minutes=1)
    began = time.process_time()
    for clock in clocks:
        clock.warm_up()
    computed = time.process_time()
    ticks = sum(clock.tick(now).runs for clock in clocks)
    return Planned(
        ticks=ticks,
        next_fires_seconds=computed - began,
        decisions_seconds=time.process_time() - computed,
    )


def _definition(expression: str) -> Definition:
    # A zone with daylight saving, since UTC would be the easiest case.
    spec = TriggerSpec(kind="cron", cron_expression=expression, timezone="Europe/Berlin")
    return Definition(
        trigger=build_trigger(spec),
        timezone=spec.timezone,
        catch_up=CatchUp.LATEST,
        grace=None,
        max_catch_up=100,
    )


def _expressions() -> Iterator[str]:
    """Yield expressions that each fire twice a minute, all of them distinct."""
    for first, second in combinations(range(60), 2):
        yield f"{first},{second} * * * * *"
