"""The virtual clock itself: what passes on it, and that it reaches nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from scheduling.models import Task, TaskInstance
from scheduling.services import run_task_now, save_task
from scheduling.virtual_world import VirtualWorld
from tests.factories import make_task

World = Callable[[str], VirtualWorld]


def test_every_moment_that_is_stored_is_the_clocks(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2031-05-01T00:00Z")
    task = world.task("hourly", trigger="interval", every_seconds=3600, lasts=timedelta(minutes=10))
    world.run_until("2031-05-01T01:30Z")
    (instance,) = world.instances(task)
    assert instance.scheduled_for == datetime(2031, 5, 1, 1, tzinfo=UTC)
    assert instance.started_at is not None
    assert instance.finished_at == instance.started_at + timedelta(minutes=10)
    assert task.created_at == datetime(2031, 5, 1, tzinfo=UTC)


def test_the_real_tables_are_out_of_sight_and_unchanged(db: None, virtual_scheduler: World) -> None:
    make_task(name="real", trigger="interval", every_seconds=60)
    world = virtual_scheduler("2031-05-01T00:00Z")
    assert not Task.objects.exists()
    world.task("virtual", trigger="interval", every_seconds=60)
    world.run_until("2031-05-01T00:05Z")
    assert set(Task.objects.values_list("name", flat=True)) == {"virtual"}


def test_an_edit_between_two_moments_counts_from_then_on(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2031-05-01T00:00Z")
    task = world.task("edited", trigger="cron", cron_expression="0 * * * *")
    world.run_until("2031-05-01T02:10Z")
    task.cron_expression = "30 * * * *"
    save_task(task)
    world.run_until("2031-05-01T03:10Z")
    Task.objects.filter(pk=task.pk).update(cron_expression="40 * * * *")
    world.run_until("2031-05-01T04:50Z")
    assert world.runs(task) == [
        "2031-05-01T01:00+00:00",
        "2031-05-01T02:00+00:00",
        "2031-05-01T02:30+00:00",
        "2031-05-01T03:40+00:00",
        "2031-05-01T04:40+00:00",
    ]


def test_a_failing_attempt_is_retried_after_its_delay(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2031-05-01T00:00Z")
    task = world.task(
        "flaky",
        trigger="once",
        run_at=datetime(2031, 5, 1, 1, tzinfo=UTC),
        succeeds=False,
        max_attempts=3,
        retry_backoff="fixed",
        retry_delay_seconds=60,
    )
    world.run_until("2031-05-01T02:00Z")
    (instance,) = world.instances(task)
    assert (instance.outcome, instance.attempts) == ("failed", 3)
    assert instance.finished_at is not None
    assert timedelta(seconds=123) <= instance.finished_at - instance.scheduled_for < timedelta(seconds=124)


def test_a_fixed_delay_counts_from_the_end_of_the_run_before(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2031-05-01T00:00Z")
    task = world.task("after", trigger="fixed_delay", every_seconds=600, lasts=timedelta(minutes=5))
    world.run_until("2031-05-01T01:00Z")
    starts = [one.scheduled_for for one in world.instances(task)]
    gaps = {later - earlier for earlier, later in pairwise(starts)}
    assert len(starts) >= 4
    assert all(timedelta(minutes=15) <= gap < timedelta(minutes=15, seconds=1) for gap in gaps)


def test_a_run_by_hand_runs_at_once_and_obeys_the_limits(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2031-05-01T00:00Z")
    task = world.task("by hand", trigger="manual", overlap="queue_all", lasts=timedelta(hours=1))
    first, second = run_task_now(task), run_task_now(task)
    world.run_until("2031-05-01T03:00Z")
    ended = {one.pk: one.finished_at for one in TaskInstance.objects.filter(pk__in=[first.pk, second.pk])}
    assert ended[second.pk] is not None
    assert ended[second.pk] - ended[first.pk] == timedelta(hours=1)  # type: ignore[operator] # both have ended


def test_time_does_not_run_backwards(virtual_scheduler: World) -> None:
    world = virtual_scheduler("2031-05-01T00:00Z")
    with pytest.raises(ValueError, match="already"):
        world.run_until("2031-04-30T00:00Z")
    with pytest.raises(ValueError, match="offset"):
        world.run_until("2031-05-02T00:00")
