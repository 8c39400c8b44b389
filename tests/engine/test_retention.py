"""What is past its age goes, whole days at a time; what anybody still needs stays, and nobody waits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.test import override_settings
from psycopg import sql

from scheduling import checks
from scheduling.conf import SchedulingConf, conf
from scheduling.db import Connection, own_connection
from scheduling.domain.states import Origin
from scheduling.engine.enqueue import enqueue
from scheduling.engine.history_days import history_days
from scheduling.engine.partitions import create_partitions, partition_name
from scheduling.models import RunKey, TaskInstance, TaskRevision
from scheduling.runtime.background import Background
from scheduling.runtime.retention import keep_retention, sole_dropper
from tests.engine.work import claimed_by, ready
from tests.factories import make_registration, make_task
from tests.support.days import days_ago, make_day, old_instance, remove_days, tables_of
from tests.support.waiting import wait_until
from workers.engine.store_log import store_log
from workers.runtime.log_buffer import Chunk

ALL = {"rota_instance", "rota_execution", "rota_log_chunk"}
SETTINGS = SchedulingConf(RETENTION_DAYS=90, LOG_RETENTION_DAYS=30)

#: What the archive hook of the tests was given.
archived: list[tuple[Any, ...]] = []


def remember(partition: str, table: str, bounds: tuple[datetime, datetime], connection: Connection) -> None:
    """An archive hook that reads the partition."""
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(partition))).fetchone()
    archived.append((partition, table, bounds, row[0] if row else None))


def refuse(partition: str, table: str, bounds: tuple[datetime, datetime], connection: Connection) -> None:
    """An archive hook whose disk is full."""
    raise OSError("no space left on device")


@pytest.fixture(autouse=True)
def _no_day_is_left(conn: Connection) -> Iterator[None]:
    archived.clear()
    yield
    remove_days(conn, [days_ago(count) for count in (29, 30, 31, 32, 40, 90, 91, 92, 100, 200)])


def test_logs_go_at_their_age_and_the_rest_at_theirs_and_today_stays(conn: Connection) -> None:
    young, logs_only, old = make_day(conn, 29), make_day(conn, 40), make_day(conn, 100)
    create_partitions(conn, [days_ago(0)])
    assert keep_retention(SETTINGS) == 4
    assert tables_of(conn, young) == ALL
    assert tables_of(conn, logs_only) == {"rota_instance", "rota_execution"}
    assert tables_of(conn, old) == set()
    assert tables_of(conn, days_ago(0)) == ALL


def test_a_day_is_as_old_as_its_last_moment_in_utc(conn: Connection) -> None:
    # The day 30 days ago ended 29 days and some hours ago; the one before it more than 30 days ago.
    kept, gone = make_day(conn, 30), make_day(conn, 31)
    keep_retention(SETTINGS)
    assert "rota_log_chunk" in tables_of(conn, kept)
    assert "rota_log_chunk" not in tables_of(conn, gone)


def test_a_day_with_something_unfinished_stays_and_the_log_says_so(
    conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    held, gone = make_day(conn, 100), make_day(conn, 200)
    task = make_task(overlap="allow")
    moment = datetime(held.year, held.month, held.day, 1, tzinfo=UTC)
    enqueue(conn, task_id=task.pk, origin=Origin.CODE, scheduled_for=moment)
    with caplog.at_level(logging.WARNING):
        keep_retention(SETTINGS)
    assert tables_of(conn, held) == ALL
    assert tables_of(conn, gone) == set()
    assert f"{partition_name('rota_instance', held)} stays" in caplog.text
    assert TaskInstance.objects.filter(scheduled_for=moment).exists()


def test_what_a_backfill_made_lately_for_a_day_long_past_is_kept_like_anything_made_lately(conn: Connection) -> None:
    task = make_task()
    lately, long_ago = make_day(conn, 100), make_day(conn, 200)
    old_instance(conn, task, lately, made_days_ago=1)
    old_instance(conn, task, long_ago)
    keep_retention(SETTINGS)
    assert tables_of(conn, lately) == ALL
    assert tables_of(conn, long_ago) == set()


def test_a_partition_that_cannot_be_dropped_keeps_nothing_else_back(
    conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    looked_at, gone = make_day(conn, 200), make_day(conn, 100)
    name = partition_name("rota_execution", looked_at)
    conn.execute(sql.SQL("CREATE VIEW somebodys_report AS SELECT id FROM {}").format(sql.Identifier(name)))
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    run_key = RunKey.objects.create(
        task=make_task(), key="old", instance_id=1, scheduled_for=long_ago, created_at=long_ago
    )
    try:
        with caplog.at_level(logging.ERROR):
            assert keep_retention(SETTINGS) == 4
        assert tables_of(conn, gone) == set()
        assert tables_of(conn, looked_at) == {"rota_instance", "rota_execution"}
        assert f"{name} cannot be dropped" in caplog.text
        assert "somebodys_report" in caplog.text, "what it is that has to go first"
        assert not RunKey.objects.filter(pk=run_key.pk).exists(), "nor does anything else stay"
    finally:
        conn.execute("DROP VIEW somebodys_report")
    assert keep_retention(SETTINGS) == 2
    assert tables_of(conn, looked_at) == set()


def test_with_an_age_of_zero_nothing_is_ever_dropped(conn: Connection) -> None:
    day = make_day(conn, 200)
    assert keep_retention(SchedulingConf(RETENTION_DAYS=0, LOG_RETENTION_DAYS=0)) == 0
    assert tables_of(conn, day) == ALL


def test_logs_are_never_kept_longer_than_their_executions(conn: Connection) -> None:
    day = make_day(conn, 100)
    keep_retention(SchedulingConf(RETENTION_DAYS=90, LOG_RETENTION_DAYS=365))
    assert tables_of(conn, day) == set()


def test_two_droppers_never_work_at_the_same_time(conn: Connection) -> None:
    day = make_day(conn, 100)
    with sole_dropper():
        assert keep_retention(SETTINGS) == 0
    assert tables_of(conn, day) == ALL
    assert keep_retention(SETTINGS) == 3


def test_nobody_who_reads_or_writes_waits_while_a_partition_is_taken_out(conn: Connection) -> None:
    """Also while somebody has been reading the history for minutes; the dropping waits for him, and nobody else."""
    day = make_day(conn, 100)
    create_partitions(conn, [days_ago(0)])
    task = make_task(overlap="allow")
    reader, watcher = own_connection("long reader"), own_connection("watcher")
    dropping = Thread(target=keep_retention, args=[SETTINGS])
    try:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM rota_instance")
        dropping.start()

        def waits() -> bool:
            row = watcher.execute(
                "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE inhdetachpending"
            ).fetchone()
            return bool(row and row[0])

        wait_until(waits, what="the partition is being detached")
        conn.execute("SET lock_timeout = '250ms'")
        for _ in range(50):
            assert enqueue(conn, task_id=task.pk, origin=Origin.CODE) is not None
        assert len(claimed_by(conn, make_registration(conn), slots=50)) == 50
        conn.execute("SELECT count(*) FROM rota_instance")
        assert create_partitions(conn, [days_ago(92)]) == 3, "a day that is missing is made meanwhile"
        assert dropping.is_alive()
        reader.execute("COMMIT")
        dropping.join(30)
        assert not dropping.is_alive()
    finally:
        reader.close()
        watcher.close()
    assert tables_of(conn, day) == set()


def test_a_detaching_that_was_broken_off_is_completed_by_the_next_look(conn: Connection) -> None:
    day, other = make_day(conn, 100), make_day(conn, 200)
    reader, breaking = own_connection("long reader"), own_connection("broken off")
    try:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM rota_instance")
        breaking.execute("SET statement_timeout = '200ms'")
        name = partition_name("rota_instance", day)
        with pytest.raises(Exception, match="statement timeout"):
            breaking.execute(f"ALTER TABLE rota_instance DETACH PARTITION {name} CONCURRENTLY".encode())
    finally:
        reader.close()
        breaking.close()
    (half,) = [each for each in history_days(conn) if each.day == day]
    assert half.partitions["rota_instance"].detaching
    keep_retention(SETTINGS)
    assert tables_of(conn, day) == tables_of(conn, other) == set()


def test_a_table_that_was_detached_and_not_dropped_is_attached_again_when_its_day_is_needed(conn: Connection) -> None:
    day = make_day(conn, 40)
    task = make_task()
    instance_id = old_instance(conn, task, day)
    conn.execute(f"ALTER TABLE rota_instance DETACH PARTITION {partition_name('rota_instance', day)}".encode())
    assert not TaskInstance.objects.filter(pk=instance_id).exists()
    make_day(conn, 40)
    assert TaskInstance.objects.filter(pk=instance_id).exists()


def test_a_partition_is_archived_before_it_goes(conn: Connection) -> None:
    day = make_day(conn, 100)
    old_instance(conn, make_task(), day)
    keep_retention(SchedulingConf(ARCHIVE_PARTITION="tests.engine.test_retention.remember"))
    lower = datetime(day.year, day.month, day.day, tzinfo=UTC)
    bounds = (lower, lower + timedelta(days=1))
    assert archived == [
        (partition_name(table, day), table, bounds, count)
        for table, count in (("rota_log_chunk", 0), ("rota_execution", 0), ("rota_instance", 1))
    ]
    assert tables_of(conn, day) == set()


def test_what_cannot_be_archived_stays(conn: Connection, caplog: pytest.LogCaptureFixture) -> None:
    day = make_day(conn, 100)
    assert keep_retention(SchedulingConf(ARCHIVE_PARTITION="tests.engine.test_retention.refuse")) == 0
    assert tables_of(conn, day) == ALL
    assert "could not be archived" in caplog.text
    assert "no space left on device" in caplog.text
    assert keep_retention(SETTINGS) == 3


def test_output_for_a_day_whose_logs_were_dropped_makes_room_for_itself(conn: Connection) -> None:
    day = make_day(conn, 40)
    keep_retention(SETTINGS)
    assert "rota_log_chunk" not in tables_of(conn, day)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    store_log(conn, [Chunk(1, at, 1, 0, "stdout", at, "late\n")])
    assert conn.execute("SELECT body FROM rota_log_chunk WHERE execution_id = 1").fetchall() == [("late\n",)]


def test_keys_of_runs_are_forgotten_with_the_history_and_not_before(conn: Connection) -> None:
    task = make_task()
    for name, age, ahead in (("old", 100, 0), ("young", 10, 0), ("planned long ago", 100, 200)):
        made = datetime.now(UTC) - timedelta(days=age)
        key = RunKey.objects.create(
            task=task, key=name, instance_id=1, scheduled_for=made + timedelta(days=ahead), created_at=made
        )
        assert key.created_at == made
    keep_retention(SETTINGS)
    assert set(RunKey.objects.values_list("key", flat=True)) == {"young", "planned long ago"}


def test_revisions_are_forgotten_unless_anything_was_or_will_be_run_by_them(conn: Connection) -> None:
    task = make_task()
    ready(conn)
    for number in range(2, 6):
        task.description = f"edit {number}"
        task.save()
    conn.execute(
        "UPDATE rota_task_revision SET created_at = clock_timestamp() - (500 - 100 * version) * interval '1 day' "
        "WHERE task_id = %s",
        [task.pk],
    )
    # Version 2 is 300 days old, version 3 200: version 1 was replaced before the age of 250 days, 2 was not.
    keep_retention(SchedulingConf(DEFINITION_DAYS=250))
    versions = TaskRevision.objects.filter(task=task.pk).values_list("version", flat=True)
    assert 5 in versions
    assert 1 in versions, "the period of its schedule began with it"
    conn.execute("UPDATE rota_schedule_period SET version = 5 WHERE task_id = %s", [task.pk])
    keep_retention(SchedulingConf(DEFINITION_DAYS=250))
    assert set(versions.all()) == {2, 3, 4, 5}


def test_a_chore_in_the_background_runs_once_at_a_time_and_outlives_a_lost_database(
    conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def lose_the_database() -> int:
        broken = own_connection("lost")
        broken.close()
        broken.execute("SELECT 1")
        return 1

    background = Background("dropped", lose_the_database)
    chore = background.maintainer(1)
    assert chore.run(conn).count == 0
    assert background.wait(10)
    assert "dropped: the connection is closed" in caplog.text
    assert chore.run(conn).count == 0
    assert background.wait(10)


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({}, []),
        ({"RETENTION_DAYS": -1}, ["scheduling.E001"]),
        ({"STATISTICS_DAYS": 1.5}, ["scheduling.E001"]),
        ({"RETENTION_DAYS": 30, "LOG_RETENTION_DAYS": 60}, ["scheduling.W001"]),
        ({"RETENTION_DAYS": 0, "LOG_RETENTION_DAYS": 60}, []),
        ({"ARCHIVE_PARTITION": "nowhere.to.be_found"}, ["scheduling.E002"]),
        ({"ARCHIVE_PARTITION": "tests.engine.test_retention.remember"}, []),
    ],
)
def test_ages_and_the_archive_are_checked_before_anything_starts(settings: dict[str, Any], ids: list[str]) -> None:
    with override_settings(SCHEDULING=settings):
        conf.cache_clear()
        found = [*checks.check_ages(None), *checks.check_archive(None)]
    conf.cache_clear()
    assert [each.id for each in found] == ids


def test_a_task_that_may_run_longer_than_the_history_is_kept_is_named(
    conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    make_task(name="eternal", timeout_seconds=200 * 86400)
    day: date = make_day(conn, 100)
    keep_retention(SETTINGS)
    assert "the task “eternal” may run for 200 days" in caplog.text
    assert tables_of(conn, day) == set()
