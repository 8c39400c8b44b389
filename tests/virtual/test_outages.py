"""What becomes of the ticks of an outage: the real scheduler, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from scheduling.models import Calendar, CalendarRule, Task, TaskInstance
from scheduling.services import pause_task, resume_task
from scheduling.virtual_world import VirtualWorld
from tests.factories import make_namespace

World = Callable[[str], VirtualWorld]

#: A Monday.
BEGINS = "2026-06-01T12:00:30+00:00"

TRIGGERS: dict[str, dict[str, Any]] = {
    # Ticks on the minute; late by up to a minute is merely late.
    "interval": {"trigger": "interval", "every_seconds": 60, "anchor_at": datetime.fromisoformat("2026-06-01T00:00Z")},
    # Ticks at 13:00, 14:00, …; late by up to six minutes is merely late.
    "cron": {"trigger": "cron", "cron_expression": "0 * * * *"},
    # Due at 12:10.
    "fixed_delay": {"trigger": "fixed_delay", "every_seconds": 600},
    "once": {"trigger": "once", "run_at": datetime.fromisoformat("2026-06-01T12:01Z")},
}


def row(instance: TaskInstance) -> str:
    """One row as a line: the moment, what became of it, and for how many it stands."""
    became = "runs" if instance.outcome != "skipped" else f"skipped ({instance.reason})"
    line = f"{instance.scheduled_for:%a %H:%M} {became}"
    if instance.missed_since is None:
        return line
    return f"{line}, {instance.missed_count} since {instance.missed_since:%a %H:%M}"


def rows(world: VirtualWorld, task: Task, *, since: str = BEGINS) -> list[str]:
    """What was decided about the ticks after the outage began."""
    begins = datetime.fromisoformat(since)
    return [row(each) for each in world.instances(task) if each.scheduled_for > begins]


MINUTE, HOUR, THREE_DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=3)

#: What became of the ticks after 12:00:30, when no scheduler was alive for so long. At most five are caught up.
EXPECTED: list[tuple[str, timedelta, str, list[str]]] = [
    ("interval", MINUTE, "latest", ["Mon 12:01 runs"]),
    ("interval", MINUTE, "none", ["Mon 12:01 runs"]),
    ("interval", MINUTE, "all", ["Mon 12:01 runs"]),
    ("interval", HOUR, "latest", ["Mon 13:00 runs, 60 since Mon 12:01"]),
    ("interval", HOUR, "none", ["Mon 13:00 skipped (misfire), 60 since Mon 12:01"]),
    (
        "interval",
        HOUR,
        "all",
        [
            "Mon 12:54 skipped (misfire), 54 since Mon 12:01",
            *(f"Mon 12:{minute} runs, 1 since Mon 12:{minute}" for minute in range(55, 60)),
            "Mon 13:00 runs",
        ],
    ),
    ("interval", THREE_DAYS, "latest", ["Thu 12:00 runs, 4320 since Mon 12:01"]),
    ("interval", THREE_DAYS, "none", ["Thu 12:00 skipped (misfire), 4320 since Mon 12:01"]),
    (
        "interval",
        THREE_DAYS,
        "all",
        [
            "Thu 11:54 skipped (misfire), 4314 since Mon 12:01",
            *(f"Thu 11:{minute} runs, 1 since Thu 11:{minute}" for minute in range(55, 60)),
            "Thu 12:00 runs",
        ],
    ),
    ("cron", MINUTE, "latest", []),
    ("cron", MINUTE, "none", []),
    ("cron", MINUTE, "all", []),
    # Half a minute late, which is within a tenth of an hour.
    ("cron", HOUR, "latest", ["Mon 13:00 runs"]),
    ("cron", HOUR, "none", ["Mon 13:00 runs"]),
    ("cron", HOUR, "all", ["Mon 13:00 runs"]),
    ("cron", THREE_DAYS, "latest", ["Thu 12:00 runs, 72 since Mon 13:00"]),
    ("cron", THREE_DAYS, "none", ["Thu 12:00 skipped (misfire), 72 since Mon 13:00"]),
    (
        "cron",
        THREE_DAYS,
        "all",
        [
            "Thu 06:00 skipped (misfire), 66 since Mon 13:00",
            *(f"Thu {hour:02}:00 runs, 1 since Thu {hour:02}:00" for hour in range(7, 12)),
            "Thu 12:00 runs",
        ],
    ),
    # One run is missed and not several: the next would have counted from its end.
    ("fixed_delay", MINUTE, "latest", []),
    ("fixed_delay", MINUTE, "none", []),
    ("fixed_delay", MINUTE, "all", []),
    ("fixed_delay", HOUR, "latest", ["Mon 12:10 runs, 1 since Mon 12:10"]),
    ("fixed_delay", HOUR, "none", ["Mon 12:10 skipped (misfire), 1 since Mon 12:10"]),
    ("fixed_delay", HOUR, "all", ["Mon 12:10 runs, 1 since Mon 12:10"]),
    ("fixed_delay", THREE_DAYS, "latest", ["Mon 12:10 runs, 1 since Mon 12:10"]),
    ("fixed_delay", THREE_DAYS, "none", ["Mon 12:10 skipped (misfire), 1 since Mon 12:10"]),
    ("fixed_delay", THREE_DAYS, "all", ["Mon 12:10 runs, 1 since Mon 12:10"]),
    ("once", MINUTE, "latest", ["Mon 12:01 runs"]),
    ("once", MINUTE, "none", ["Mon 12:01 runs"]),
    ("once", MINUTE, "all", ["Mon 12:01 runs"]),
    ("once", HOUR, "latest", ["Mon 12:01 runs, 1 since Mon 12:01"]),
    ("once", HOUR, "none", ["Mon 12:01 skipped (misfire), 1 since Mon 12:01"]),
    ("once", HOUR, "all", ["Mon 12:01 runs, 1 since Mon 12:01"]),
    ("once", THREE_DAYS, "latest", ["Mon 12:01 runs, 1 since Mon 12:01"]),
    ("once", THREE_DAYS, "none", ["Mon 12:01 skipped (misfire), 1 since Mon 12:01"]),
    ("once", THREE_DAYS, "all", ["Mon 12:01 runs, 1 since Mon 12:01"]),
]


@pytest.mark.parametrize("length", [MINUTE, HOUR, THREE_DAYS], ids=["a minute", "an hour", "three days"])
def test_each_tick_of_an_outage_has_its_row(virtual_scheduler: World, length: timedelta) -> None:
    wanted = {(trigger, catch_up): lines for trigger, span, catch_up, lines in EXPECTED if span == length}
    world = virtual_scheduler("2026-06-01T12:00:00+00:00")
    tasks = {
        (trigger, catch_up): world.task(
            f"{trigger} {catch_up}", catch_up=catch_up, max_catch_up=5, overlap="allow", **TRIGGERS[trigger]
        )
        for trigger, catch_up in wanted
    }
    world.run_until(BEGINS)
    ends = datetime.fromisoformat(BEGINS) + length
    world.outage_until(ends)
    world.run_until(ends)
    assert {key: rows(world, task) for key, task in tasks.items()} == wanted


def test_a_pause_is_caught_up_like_an_outage(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2026-06-01T12:00:00+00:00")
    latest = world.task("latest", overlap="allow", **TRIGGERS["interval"])
    none = world.task("none", overlap="allow", catch_up="none", **TRIGGERS["interval"])
    world.run_until(BEGINS)
    pause_task(latest)
    pause_task(none)
    world.run_until("2026-06-01T13:00:30+00:00")
    assert rows(world, latest) == rows(world, none) == []
    resume_task(latest)
    resume_task(none)
    world.run_until("2026-06-01T13:01:30+00:00")
    assert rows(world, latest) == ["Mon 13:00 runs, 60 since Mon 12:01", "Mon 13:01 runs"]
    assert rows(world, none) == ["Mon 13:00 skipped (misfire), 60 since Mon 12:01", "Mon 13:01 runs"]


def test_an_edit_of_the_schedule_yields_no_ticks_from_before_it(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2026-06-01T12:00:00+00:00")
    task = world.task("task", overlap="allow", **TRIGGERS["cron"])
    world.run_until("2026-06-01T12:30:00+00:00")
    Task.objects.filter(pk=task.pk).update(cron_expression="*/10 * * * *")
    world.run_until("2026-06-01T12:55:00+00:00")
    assert rows(world, task) == ["Mon 12:40 runs", "Mon 12:50 runs"]


def test_an_edit_during_an_outage_keeps_the_tick_that_was_due_before_it(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2026-06-01T12:00:00+00:00")
    task = world.task("task", overlap="allow", **TRIGGERS["cron"])
    world.run_until(BEGINS)
    world.outage_until("2026-06-01T13:30:00+00:00")
    Task.objects.filter(pk=task.pk).update(cron_expression="*/10 * * * *")
    world.outage_until("2026-06-01T14:05:00+00:00")
    world.run_until("2026-06-01T14:15:00+00:00")
    # The old schedule missed 13:00; the new one 13:40, 13:50 and 14:00.
    assert rows(world, task) == ["Mon 14:00 runs, 4 since Mon 13:00", "Mon 14:10 runs"]


def test_an_edit_of_something_else_during_an_outage_changes_nothing(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2026-06-01T12:00:00+00:00")
    task = world.task("task", overlap="allow", **TRIGGERS["cron"])
    world.run_until(BEGINS)
    world.outage_until("2026-06-01T15:30:00+00:00")
    Task.objects.filter(pk=task.pk).update(priority=3)
    world.run_until("2026-06-01T15:30:00+00:00")
    assert rows(world, task) == ["Mon 15:00 runs, 3 since Mon 13:00"]


def test_the_row_says_in_a_sentence_how_many_ticks_it_stands_for_and_since_when(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2026-06-01T12:00:00+00:00")
    latest = world.task("latest", overlap="allow", lasts=HOUR, **TRIGGERS["interval"])
    none = world.task("none", overlap="allow", catch_up="none", **TRIGGERS["interval"])
    world.run_until(BEGINS)
    world.outage_until("2026-06-01T13:00:30+00:00")
    world.run_until("2026-06-01T13:00:30+00:00")
    assert world.instances(latest)[-1].message == "Stands for 60 missed ticks since 2026-06-01 12:01:00 UTC."
    assert (
        world.instances(none)[-1].message == "Stands for 60 missed ticks since 2026-06-01 12:01:00 UTC, not caught up."
    )


def test_an_outage_over_a_weekend_runs_the_last_tick_before_it_and_records_the_weekend(
    virtual_scheduler: World,
) -> None:
    world = virtual_scheduler("2026-06-05T12:00:00+00:00")
    task = world.task("task", overlap="allow", timezone="Europe/Berlin", **TRIGGERS["cron"])
    calendar = Calendar.objects.create(namespace=make_namespace(), name="office days")
    CalendarRule.objects.create(calendar=calendar, kind="weekdays", weekdays=[6, 7], note="Weekend")
    task.calendars.add(calendar)
    world.run_until("2026-06-05T12:30:00+00:00")
    world.outage_until("2026-06-07T10:30:00+00:00")
    world.run_until("2026-06-07T11:00:00+00:00")
    assert rows(world, task, since="2026-06-05T12:30:00+00:00") == [
        "Fri 21:00 runs, 9 since Fri 13:00",
        "Sun 10:00 skipped (calendar), 37 since Fri 22:00",
        "Sun 11:00 skipped (calendar)",
    ]


def test_jitter_starts_ticks_later_and_none_past_the_next(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2026-06-01T12:00:00+00:00")
    task = world.task("task", jitter_seconds=3600, **TRIGGERS["interval"])
    world.run_until("2026-06-01T12:30:00+00:00")
    starts = [each for each in world.instances(task) if each.started_at is not None]
    lateness = [(each.started_at - each.scheduled_for).total_seconds() for each in starts if each.started_at]
    assert len(starts) >= 28
    assert all(0 <= seconds < 60 for seconds in lateness)
    assert max(lateness) - min(lateness) > 30
