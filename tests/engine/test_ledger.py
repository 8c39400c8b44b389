"""The ledger: what became of each tick, and how it is answered."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from scheduling.db import Connection, database_now
from scheduling.ledger import read_ledger
from scheduling.models import TaskInstance
from scheduling.services import pause_task, resume_task
from scheduling.services.backfill import create_backfill
from tests.engine.ledger_world import DAYS, MakeWorld
from tests.factories import make_task
from tests.support.waiting import wait_until


@pytest.mark.parametrize("overlap", ["skip", "allow"])
@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("latest", {"coalesced": 17, "ran or late": 1}),
        ("none", {"skipped": 18}),
        ("all", {"ran or late": 18}),
    ],
)
def test_an_outage_of_three_hours_is_accounted_for_tick_by_tick(
    make_world: MakeWorld, catch_up: str, expected: dict[str, int], overlap: str
) -> None:
    world = make_world(catch_up=catch_up, overlap=overlap)
    world.schedulers_work()
    world.hours_pass(3)
    assert world.counts() == {"due": 18}
    world.schedulers_work()
    counts = world.counts()
    if overlap == "skip" and catch_up == "all":
        assert counts["skipped"] == 17, "the earlier one is unfinished"
        return
    counts["ran or late"] = counts.pop("ran", 0) + counts.pop("late", 0)
    assert {name: count for name, count in counts.items() if count} == expected


def test_an_instance_stands_for_as_many_ticks_as_it_says(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow")
    world.schedulers_work()
    for hours in (1, 3, 2):
        world.hours_pass(hours)
        world.schedulers_work()
    stands_for: Counter[int] = Counter()
    for line in world.ledger(ahead=timedelta(0)).lines:
        assert line.entry.instance_id is not None
        stands_for[line.entry.instance_id] += 1
    said = dict(TaskInstance.objects.filter(task=world.task).values_list("id", "missed_count"))
    assert {key: count or 1 for key, count in said.items()} == stands_for


def test_an_instance_that_has_ended_still_says_for_how_many_ticks_it_stood(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow")
    world.schedulers_work()
    world.hours_pass(1)
    world.schedulers_work()
    sentence = TaskInstance.objects.get(task=world.task).message
    assert sentence.startswith("Stands for 6 missed ticks since")
    world.work_ends()
    world.conn.execute("UPDATE rota_instance SET message = 'Done.' WHERE task_id = %s", [world.task.pk])
    instance = TaskInstance.objects.get(task=world.task)
    assert (instance.note, instance.full_message) == (sentence, f"{sentence} Done.")
    assert [line.message for line in world.ledger(ahead=timedelta(0)).lines][-1] == f"{sentence} Done."


def test_while_a_task_is_paused_its_ticks_wait_for_a_decision(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow")
    world.schedulers_work()
    pause_task(world.task)
    world.hours_pass(1)
    world.schedulers_work()
    assert world.counts() == {"paused": 6}
    resume_task(world.task)
    world.schedulers_work()
    assert world.counts()["coalesced"] == 5


def test_what_is_to_come_is_upcoming(make_world: MakeWorld) -> None:
    world = make_world()
    world.schedulers_work()
    assert {line.entry.state for line in world.ledger().lines} == {"upcoming"}


def test_a_tick_without_a_trace_is_shown_as_unexplained(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow", catch_up="all")
    world.schedulers_work()
    world.hours_pass(1)
    world.schedulers_work()
    lost = TaskInstance.objects.filter(task=world.task).order_by("scheduled_for")[2]
    world.conn.execute("DELETE FROM rota_instance WHERE id = %s", [lost.pk])
    ledger = world.ledger()
    assert ledger.unexplained == 1
    (line,) = [line for line in ledger.lines if line.entry.state == "unexplained"]
    assert (line.entry.at, "defect" in line.message) == (lost.scheduled_for, True)


def test_a_day_that_was_removed_from_the_history_is_forgotten_and_not_unexplained(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow")
    world.schedulers_work()
    world.hours_pass(24 * (DAYS - 1))
    world.schedulers_work()
    day = (database_now(world.conn) - timedelta(days=2)).date()
    world.conn.execute("UPDATE rota_instance SET missed_since = NULL WHERE task_id = %s", [world.task.pk])
    world.conn.execute(f"DROP TABLE rota_instance_p{day:%Y%m%d}")
    states = {line.entry.at.date(): line.entry.state.value for line in world.ledger().lines}
    assert states[day] == "forgotten"
    assert states[day + timedelta(days=1)] == "unexplained"


def test_a_long_period_is_answered_page_by_page(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow", catch_up="latest")
    world.schedulers_work()
    world.hours_pass(5)
    world.schedulers_work()
    until = database_now(world.conn)
    whole = [line.entry for line in world.ledger(ahead=timedelta(0)).lines]
    at: datetime | None = until - timedelta(days=DAYS)
    pages = []
    while at is not None:
        page = read_ledger(world.task, from_at=at, until_at=until, most=7)
        assert len(page.lines) <= 7
        assert bool(page.note) is (page.next_from is not None)
        pages.append([line.entry for line in page.lines])
        at = page.next_from
    assert len(pages) == 5
    assert [entry for page in pages for entry in page] == whole


def test_a_tick_that_was_backfilled_names_the_instance(make_world: MakeWorld) -> None:
    from scheduling.models import Backfill

    world = make_world(catch_up="none")
    world.schedulers_work()
    world.hours_pass(1)
    world.schedulers_work()
    now = database_now(world.conn)
    backfill = create_backfill(Backfill(task=world.task, from_at=now - timedelta(hours=1), until_at=now))
    wait_until(lambda: world.loop.turn() is not None and TaskInstance.objects.filter(backfill_id=backfill.pk).exists())
    lines = [line for line in world.ledger(ahead=timedelta(0)).lines if line.entry.at <= now]
    assert {line.entry.state.value for line in lines} == {"skipped"}
    assert all(len(line.backfilled) == 1 for line in lines)


def test_the_answer_takes_a_handful_of_queries_however_many_ticks_there_are(
    make_world: MakeWorld, django_assert_max_num_queries: Any
) -> None:
    world = make_world(overlap="allow", catch_up="all")
    world.schedulers_work()
    world.hours_pass(10)
    world.schedulers_work()
    with django_assert_max_num_queries(8):
        lines = world.ledger().lines
        states = [line.instance.state for line in lines if line.instance is not None]
    assert len(states) >= 60


@pytest.mark.parametrize(
    ("from_at", "until_at", "words"),
    [
        (datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC), "before it begins"),
        (datetime(2024, 1, 1), datetime(2024, 1, 2, tzinfo=UTC), "time zone"),  # noqa: DTZ001 - that is the point
    ],
)
def test_a_range_that_is_none_is_refused(conn: Connection, from_at: datetime, until_at: datetime, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        read_ledger(make_task(), from_at=from_at, until_at=until_at)
