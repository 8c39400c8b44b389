"""The ledger: whatever happened to a task, each of its ticks has an explanation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scheduling.db import CLOCK_CHANNEL, Connection, database_now
from scheduling.engine.partitions import create_partitions
from scheduling.ledger import Ledger, read_ledger
from scheduling.models import QueueEntry, SchedulePeriod, Task, TaskInstance
from scheduling.runtime.loop import SchedulerLoop
from scheduling.services import pause_task, resume_task
from scheduling.services.backfill import create_backfill
from tests.factories import make_task
from tests.support.waiting import wait_until

#: The longest time that a history here spans.
DAYS = 4

DECIDED = {"ran", "late", "coalesced", "skipped"}


class World:
    """A task, a scheduler that is turned by hand, and time that passes by moving the past further away."""

    def __init__(self, conn: Connection, **over: Any) -> None:
        self.conn = conn
        self.task = make_task(**{"trigger": "cron", "cron_expression": "*/10 * * * *", **over})
        self.loop = SchedulerLoop()

    def hours_pass(self, hours: int) -> None:
        """Nobody turns the scheduler meanwhile."""
        away = timedelta(hours=hours)
        for table, columns in {
            "rota_task_clock": ["next_run_at", "held_at", "planned_from", "last_fired_for"],
            "rota_schedule_period": ["begins_at", "undecided_after"],
            "rota_instance": ["scheduled_for", "created_at", "missed_since"],
            "rota_queue_entry": ["scheduled_for", "run_at", "sort_key"],
        }.items():
            moved = ", ".join(f"{column} = {column} - %(away)s" for column in columns)
            self.conn.execute(
                f"UPDATE {table} SET {moved} WHERE task_id = %(task)s",  # noqa: S608 - names from this file
                {"away": away, "task": self.task.pk},
            )

    def schedulers_work(self) -> None:
        """Until nothing is due any more."""
        self.loop.take_note({CLOCK_CHANNEL: {""}})

        def through() -> bool:
            self.loop.turn()
            with self.conn.cursor() as cursor:
                waiting = cursor.execute(
                    "SELECT 1 FROM rota_task_clock k JOIN rota_task t ON t.id = k.task_id "
                    "WHERE t.id = %s AND t.enabled AND (k.dirty OR k.next_run_at <= clock_timestamp())",
                    [self.task.pk],
                ).fetchone()
            return waiting is None

        wait_until(through)

    def ledger(self, *, ahead: timedelta = timedelta(hours=1)) -> Ledger:
        """From before the task began until some time ahead."""
        now = database_now(self.conn)
        return read_ledger(self.task, from_at=now - timedelta(days=DAYS), until_at=now + ahead)

    def counts(self) -> Counter[str]:
        """How many ticks of the past stand how."""
        now = database_now(self.conn)
        return Counter(line.entry.state.value for line in self.ledger().lines if line.entry.at <= now)

    def edit(self, **fields: Any) -> None:
        """From anywhere, such as a shell."""
        Task.objects.filter(pk=self.task.pk).update(**fields)

    def work_ends(self) -> None:
        """What is queued goes, as if it had succeeded."""
        QueueEntry.objects.filter(task=self.task).delete()
        self.conn.execute(
            "UPDATE rota_instance SET outcome = 'succeeded', finished_at = now() WHERE task_id = %s "
            "AND outcome IS NULL",
            [self.task.pk],
        )


@pytest.fixture
def make_world(conn: Connection) -> Any:
    """Worlds in which the past has room."""
    today = database_now(conn).date()
    create_partitions(conn, [today + timedelta(days=offset) for offset in range(-DAYS - 1, 2)])
    worlds: list[World] = []

    def make(**over: Any) -> World:
        worlds.append(World(conn, **over))
        return worlds[-1]

    yield make
    for world in worlds:
        world.loop.close()


MakeWorld = Callable[..., World]

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
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
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
        assert world.counts()["unexplained"] == 0, step
    resume_task(world.task)
    world.schedulers_work()
    counts = world.counts()
    assert set(counts) <= DECIDED, "with the schedulers at work, every tick of the past is decided"
    expected = SchedulePeriod.objects.filter(task=world.task).count()
    assert expected >= 1


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


def test_a_tick_that_an_edit_passed_over_says_so(make_world: MakeWorld) -> None:
    world = make_world(overlap="allow", misfire_grace_seconds=7200)
    world.schedulers_work()
    world.hours_pass(1)
    world.edit(cron_expression="0 0 1 1 *")
    world.schedulers_work()
    lines = world.ledger(ahead=timedelta(0)).lines
    assert [line.entry.state for line in lines] == ["late", *["skipped"] * 5]
    assert {(line.entry.reason, line.message) for line in lines[1:]} == {
        ("edited", "The schedule was edited before a scheduler had taken this tick up.")
    }


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
    lines = world.ledger(ahead=timedelta(0)).lines
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
