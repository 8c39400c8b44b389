"""The ledger: whatever happens to a task, each of its ticks has an explanation, and each explanation a row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from scheduling.models import Calendar, CalendarRule, SchedulePeriod, Task, TaskClock, TaskInstance
from scheduling.services import pause_task, resume_task
from tests.engine.ledger_world import DECIDED, MakeWorld, World

STEPS: dict[str, Callable[[World], None]] = {
    "an hour passes": lambda world: world.hours_pass(1),
    "three hours pass": lambda world: world.hours_pass(3),
    "the schedulers work": World.schedulers_work,
    "the work ends": World.work_ends,
    "somebody pauses it": lambda world: pause_task(world.task),
    "somebody resumes it": lambda world: resume_task(world.task),
    "every quarter of an hour": lambda world: world.edit(cron_expression="*/15 * * * *"),
    "every ten minutes": lambda world: world.edit(cron_expression="*/10 * * * *"),
    "by an interval": lambda world: world.edit(
        trigger="interval", every_seconds=1200, anchor_at=datetime(2024, 1, 1, tzinfo=UTC)
    ),
    "by a fixed delay": lambda world: world.edit(trigger="fixed_delay", every_seconds=1200),
    "by cron": lambda world: world.edit(trigger="cron"),
    "an edit of something else": lambda world: world.edit(priority=Task.objects.get(pk=world.task.pk).priority + 1),
    "paused by an edit of the schedule": lambda world: world.edit(enabled=False, cron_expression="5 * * * *"),
    "resumed by an edit of the schedule": lambda world: world.edit(enabled=True, cron_expression="*/20 * * * *"),
}


def black_out(task: Task, begin: time) -> None:
    """Half of each day, from ``begin`` on."""
    calendar = Calendar.objects.create(namespace=task.namespace, name=f"half a day {task.pk}")
    CalendarRule.objects.create(
        calendar=calendar, kind="hours", from_time=begin, until_time=time((begin.hour + 12) % 24)
    )
    task.calendars.add(calendar)


@settings(
    max_examples=40,
    # Shrinking takes longer than a test may.
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(
    catch_up=st.sampled_from(["latest", "none", "all"]),
    overlap=st.sampled_from(["skip", "queue_one", "queue_all", "allow"]),
    grace=st.sampled_from([None, 0, 5400]),
    most=st.sampled_from([0, 3, 100]),
    enabled=st.booleans(),
    jitter=st.sampled_from([0, 300]),
    blackout=st.sampled_from([None, time(12), time(0)]),
    steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=12),
)
@example("latest", "skip", None, 3, True, 0, None, ["three hours pass", "every quarter of an hour", "three hours pass"])
@example("all", "allow", 5400, 3, True, 0, None, ["an hour passes", "every quarter of an hour", "the schedulers work"])
@example("none", "allow", 0, 3, False, 0, None, ["an hour passes", "somebody resumes it", "an hour passes"])
@example(
    "all",
    "skip",
    None,
    0,
    True,
    300,
    time(0),
    ["somebody pauses it", "three hours pass", "every ten minutes", "an hour passes"],
)
def test_no_tick_is_unexplained_whatever_the_policies_and_whatever_happens(
    make_world: MakeWorld,
    catch_up: str,
    overlap: str,
    grace: int | None,
    most: int,
    enabled: bool,
    jitter: int,
    blackout: time | None,
    steps: list[str],
) -> None:
    world = make_world(
        catch_up=catch_up,
        overlap=overlap,
        misfire_grace_seconds=grace,
        max_catch_up=most,
        enabled=enabled,
        jitter_seconds=jitter,
    )
    if blackout is not None:
        black_out(world.task, blackout)
    for step in steps:
        STEPS[step](world)
        lines = world.ledger().lines
        assert "unexplained" not in {line.entry.state.value for line in lines}, step
        assert all(line.instance for line in lines if line.entry.state in DECIDED), f"{step}: decided without a row"
    if not Task.objects.get(pk=world.task.pk).enabled:
        world.schedulers_work()
        assert set(world.counts()) <= {*DECIDED, "paused"}, "a pause leaves open what it is about, and nothing else"
        resume_task(world.task)
    world.schedulers_work()
    assert set(world.counts()) <= DECIDED, "with the schedulers at work, every tick of the past is decided"
    assert not SchedulePeriod.objects.filter(to_record=True).exists()
    clock = TaskClock.objects.get(task=world.task)
    assert (clock.next_run_at is None) or not clock.awaits_end, "a fixed delay waits for an end, or for its time"
    skips = TaskInstance.objects.filter(task=world.task, reason__in=["edited", "paused"])
    assert all(skip.outcome == "skipped" and skip.missed_count and skip.message for skip in skips)
