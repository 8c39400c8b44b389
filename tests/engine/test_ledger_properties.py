"""The ledger: whatever happens to a task, each of its ticks has an explanation, and each explanation a row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from scheduling.models import SchedulePeriod, Task, TaskInstance
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
    "by cron": lambda world: world.edit(trigger="cron"),
    "an edit of something else": lambda world: world.edit(priority=Task.objects.get(pk=world.task.pk).priority + 1),
    "paused by an edit of the schedule": lambda world: world.edit(enabled=False, cron_expression="5 * * * *"),
    "resumed by an edit of the schedule": lambda world: world.edit(enabled=True, cron_expression="*/20 * * * *"),
}


@settings(
    max_examples=40,
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
    steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=12),
)
@example("latest", "skip", None, 3, True, ["three hours pass", "every quarter of an hour", "three hours pass"])
@example("all", "allow", 5400, 3, True, ["an hour passes", "every quarter of an hour", "the schedulers work"])
@example("none", "allow", 0, 3, False, ["an hour passes", "somebody resumes it", "an hour passes"])
@example(
    "all", "skip", None, 0, True, ["somebody pauses it", "three hours pass", "every ten minutes", "an hour passes"]
)
def test_no_tick_is_unexplained_whatever_the_policies_and_whatever_happens(
    make_world: MakeWorld, catch_up: str, overlap: str, grace: int | None, most: int, enabled: bool, steps: list[str]
) -> None:
    world = make_world(
        catch_up=catch_up, overlap=overlap, misfire_grace_seconds=grace, max_catch_up=most, enabled=enabled
    )
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
    skips = TaskInstance.objects.filter(task=world.task, reason__in=["edited", "paused"])
    assert all(skip.outcome == "skipped" and skip.missed_count and skip.message for skip in skips)
