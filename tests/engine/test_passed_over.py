"""Ticks that a change of the schedule passed over are skipped instances, which say so."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from scheduling.db import database_now, own_connection
from scheduling.models import SchedulePeriod, TaskClock, TaskInstance
from scheduling.runtime.passed_over import record_passed_over
from scheduling.services import pause_task, resume_task
from tests.engine.ledger_world import MakeWorld
from tests.support.threads import at_once


def test_a_tick_that_an_edit_passed_over_says_so(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow", misfire_grace_seconds=7200)
    world.schedulers_work()
    world.hours_pass(1)
    world.edit(cron_expression="0 0 1 1 *")
    world.schedulers_work()
    lines = world.ledger(ahead=timedelta(0)).lines
    assert [line.entry.state for line in lines] == ["late", *["skipped"] * 5]
    (skip,) = TaskInstance.objects.filter(task=world.task, reason="edited")
    assert (skip.outcome, skip.missed_count, skip.missed_since) == ("skipped", 5, lines[1].entry.at)
    assert skip.scheduled_for == lines[-1].entry.at
    assert skip.message == (
        f"Stands for 5 ticks since {skip.missed_since:%Y-%m-%d %H:%M:%S} UTC: "
        "the schedule was edited before a scheduler had taken them up."
    )
    assert {(line.entry.reason, line.message, line.entry.instance_id) for line in lines[1:]} == {
        ("edited", skip.message, skip.pk)
    }


def test_what_a_paused_task_missed_is_recorded_once_its_schedule_was_edited(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow")
    world.schedulers_work()
    pause_task(world.task)
    world.hours_pass(1)
    world.edit(cron_expression="0 0 1 1 *")
    assert world.counts() == {"paused": 1, "due": 5}, "the first one is held; nobody has recorded the others yet"
    world.schedulers_work()
    assert world.counts() == {"paused": 1, "skipped": 5}
    (skip,) = TaskInstance.objects.filter(task=world.task)
    assert (skip.outcome, skip.reason, skip.missed_count) == ("skipped", "paused", 5)
    assert "the task was paused" in skip.message
    resume_task(world.task)
    world.schedulers_work()
    assert world.counts() == {"late": 1, "skipped": 5} or world.counts() == {"coalesced": 1, "skipped": 5}


def test_what_an_edit_passed_over_is_recorded_once_however_many_schedulers_look(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow")
    world.schedulers_work()
    world.hours_pass(1)
    world.edit(cron_expression="0 0 1 1 *")
    conns = [own_connection("test") for _ in range(4)]
    at_once(*(partial(record_passed_over, each) for each in conns))
    for each in conns:
        each.close()
    assert TaskInstance.objects.filter(task=world.task, reason="edited").count() == 1


def test_what_an_edit_passed_over_on_a_day_without_a_partition_is_recorded(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow", cron_expression="0 0 1 1 *")
    long_ago = database_now(world.conn) - timedelta(days=3650)
    SchedulePeriod.objects.filter(task=world.task).update(begins_at=long_ago, took_over_at=long_ago)
    TaskClock.objects.filter(task=world.task).update(planned_from=long_ago, dirty=True)
    world.edit(ends_at=long_ago)
    world.schedulers_work()
    (skip,) = TaskInstance.objects.filter(task=world.task)
    assert (skip.reason, skip.missed_count) == ("edited", 10)
    name = f"rota_instance_p{skip.scheduled_for:%Y%m%d}"
    world.conn.execute(
        f"DROP TABLE {name}, {name.replace('instance', 'execution')}, {name.replace('instance', 'log_chunk')}"
    )


def test_what_came_due_just_before_a_single_run_that_was_meant_for_now_is_recorded_too(make_world: MakeWorld) -> None:
    world = make_world()
    now = database_now(world.conn)
    world.edit(trigger="interval", every_seconds=600, anchor_at=now - timedelta(seconds=20))
    world.schedulers_work()
    world.hours_pass(1)
    world.edit(trigger="once", run_at=now - timedelta(seconds=30))
    world.schedulers_work()
    skip = TaskInstance.objects.get(task=world.task, reason="edited")
    assert (skip.scheduled_for, skip.missed_count) == (now - timedelta(seconds=20), 5)
    assert len(world.ledger(ahead=timedelta(0)).lines) == 7, "six ticks of the interval, and the single run"
