"""Tables of tasks say the same whether sums are kept for them or not, whoever folds, and whenever."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Namespace
from scheduling.db import Connection, callers_connection, database_now, own_connection
from scheduling.domain.spans import Span, slots_of
from scheduling.engine.advance_window import advance_window, forget_windows, windows
from scheduling.engine.fold_statistics import STATISTICS_LOCK, fold_statistics
from scheduling.engine.forget import forget_statistics
from scheduling.engine.rebuild_statistics import rebuild_statistics
from scheduling.models import StatSum, Task
from scheduling.runtime.loop import SchedulerLoop
from scheduling.runtime.task_sums import keep_sums, keep_sums_in_turn, sums_are_late
from scheduling.runtime.upkeep import upkeep_maintainers
from scheduling.statistics import Scope, TaskOrder, task_figures
from tests.factories import make_namespace, make_task, make_user
from tests.support.threads import in_background
from tests.support.waiting import wait_until

ALL = Scope(namespace_ids=None)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Asia/Kolkata")

#: hour, namespace, task, outcome, class of duration, count, milliseconds together, milliseconds late together
Delta = tuple[datetime, int, int, str, int, int, int, int]


def store(conn: Connection, deltas: Sequence[Delta]) -> None:
    """Leave ``deltas`` as what ends leaves them, to be folded."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO rota_stat_delta (hour, namespace_id, task_id, outcome, bucket, count, lasted, waited) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s * interval '1 ms', %s * interval '1 ms')",
            deltas,
        )


def some_deltas(chance: random.Random, tasks: Sequence[Task], now: datetime, count: int) -> list[Delta]:
    """Ends of the last 40 days, more of them today."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    found: list[Delta] = []
    for _ in range(count):
        task = chance.choice(tasks)
        outcome = chance.choice(["succeeded", "succeeded", "failed", "skipped", "cancelled"])
        bucket = -1 if outcome == "skipped" else chance.randint(0, 3)
        hour = this_hour - chance.randrange(chance.choice([3, 30, 40 * 24])) * HOUR
        lasted = 0 if bucket < 0 else chance.randint(0, 5)
        found.append((hour, task.namespace_id, task.pk, outcome, bucket, chance.randint(1, 3), lasted, lasted))
    return found


def plain_table(
    deltas: Sequence[Delta], since: datetime, order: TaskOrder, namespaces: tuple[int, ...] | None, limit: int
) -> list[tuple[int, int, int, int, int]]:
    """The same table, added up one by one: task, ended, failed, how many ran and how many milliseconds."""
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for hour, namespace, task, outcome, bucket, count, lasted, _waited in deltas:
        if hour < since or (namespaces is not None and namespace not in namespaces):
            continue
        line = sums[task]
        line[0] += count
        line[1] += count * (outcome == "failed")
        if outcome in ("succeeded", "failed") and bucket >= 0:
            line[2] += count
            line[3] += lasted
    match order:
        case TaskOrder.FAILING:
            ranked = sorted((-failed, task) for task, (_, failed, _, _) in sums.items() if failed)
        case TaskOrder.SLOWEST:
            ranked = sorted((-lasted / ran, task) for task, (_, _, ran, lasted) in sums.items() if ran)  # type: ignore[misc]  # numbers of either kind
        case TaskOrder.BUSIEST:
            ranked = sorted((-ended, task) for task, (ended, _, _, _) in sums.items())
    return [(task, *sums[task]) for _, task in ranked[:limit]]  # type: ignore[misc]  # four numbers each


def shown_table(scope: Scope, span: Span, zone: str, now: datetime, order: TaskOrder, limit: int) -> list[Any]:
    """What the console shows, in the same form."""
    return [
        (
            each.task_id,
            each.counts.total,
            each.counts.failed,
            each.counts.durations.count,
            round(sum(each.counts.durations.sums.values(), timedelta(0)) / timedelta(milliseconds=1)),
        )
        for each in task_figures(scope, span=span, zone=ZoneInfo(zone), now=now, order=order, limit=limit)
    ]


def assert_shown_as_added_up(deltas: Sequence[Delta], now: datetime) -> None:
    """Every table is right, for everybody."""
    ids = tuple(Namespace.objects.order_by("pk").values_list("pk", flat=True))
    for zone in ZONES:
        for span in Span:
            since = slots_of(span, now=now, zone=ZoneInfo(zone)).begins_at
            for order in TaskOrder:
                for namespaces in (None, ids[:1], ids[1:]):
                    shown = shown_table(Scope(namespace_ids=namespaces), span, zone, now, order, 4)
                    assert shown == plain_table(deltas, since, order, namespaces, 4), (zone, span, order, namespaces)


_SUMMED = """
SELECT w.since, h.task_id, h.namespace_id, sum(h.count)::bigint,
    coalesce(sum(h.count) FILTER (WHERE h.outcome = 'failed'), 0)::bigint,
    coalesce(sum(h.count) FILTER (WHERE h.outcome IN ('succeeded', 'failed') AND h.bucket >= 0), 0)::bigint,
    coalesce(extract(epoch FROM sum(h.lasted) FILTER (
        WHERE h.outcome IN ('succeeded', 'failed') AND h.bucket >= 0)) * 1000000, 0)::bigint
FROM rota_stat_window w JOIN rota_stat_hour h ON h.hour >= w.since AND h.hour < w.until AND h.task_id <> 0
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_SUMS = """
SELECT since, task_id, namespace_id, ended, failed, ran, lasted_us FROM rota_stat_sum ORDER BY 1, 2, 3
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_table_read_from_sums_equals_what_is_added_up_one_by_one(conn: Connection, seed: int) -> None:
    chance = random.Random(seed)
    make_namespace("team-b")
    tasks = [make_task(namespace=chance.choice(["default", "team-b"])) for _ in range(9)]
    now = datetime(2026, 3, 30, chance.randrange(24), 17, tzinfo=UTC)
    this_hour = now.replace(minute=0)
    zones = chance.sample(ZONES, 2)
    since = {slots_of(span, now=now, zone=ZoneInfo(zone)).begins_at for span in Span for zone in zones}
    deltas: list[Delta] = []
    for step in range(4):
        more = some_deltas(chance, tasks, now, 60)
        store(conn, more)
        deltas += more
        # Some of what ended is folded only after the sums have passed its hour.
        fold_statistics(conn, limit=chance.randrange(60))
        for each in since:
            advance_window(conn, since=each, until=this_hour - (3 - step) * chance.randrange(30) * HOUR)
    while fold_statistics(conn):
        pass
    assert windows(conn).keys() == since
    assert conn.execute(_SUMS).fetchall() == conn.execute(_SUMMED).fetchall()
    assert StatSum.objects.exists()
    assert_shown_as_added_up(deltas, now)
    # Sums that reach further than they say would be told from those that the page has asked for.
    forget_windows(conn, windows(conn).keys())
    assert conn.execute(_SUMS).fetchall() == []
    assert_shown_as_added_up(deltas, now)


def test_a_scheduler_makes_the_sums_of_the_ranges_that_people_look_at_and_no_others(conn: Connection) -> None:
    person = make_user()
    person.time_zone = "Asia/Shanghai"
    person.save()
    old = database_now(conn).replace(minute=0, second=0, microsecond=0) - 90 * DAY
    advance_window(conn, since=old, until=old + HOUR)
    assert sums_are_late(conn)
    keep_sums(conn)
    now = database_now(conn)
    known = windows(conn)
    asked = {
        slots_of(span, now=now, zone=ZoneInfo(zone)).begins_at for span in Span for zone in ("UTC", "Asia/Shanghai")
    }
    assert known.keys() >= asked
    assert old not in known
    assert set(known.values()) == {now.replace(minute=0, second=0, microsecond=0)}
    assert not sums_are_late(conn)


def test_a_running_scheduler_keeps_the_sums(conn: Connection) -> None:
    loop = SchedulerLoop(maintainers=upkeep_maintainers())
    thread = Thread(target=loop.run)
    thread.start()
    try:
        wait_until(lambda: not sums_are_late(conn), what="the sums are there")
    finally:
        loop.stop()
        thread.join()


def test_who_comes_while_somebody_folds_leaves_the_sums_alone(conn: Connection) -> None:
    folding = own_connection("folding")
    try:
        with folding.transaction():
            folding.execute("SELECT pg_advisory_xact_lock(%s)", [STATISTICS_LOCK])
            since = datetime(2026, 3, 1, tzinfo=UTC)
            assert advance_window(conn, since=since, until=since + HOUR) is None
            assert forget_windows(conn, [since]) is None
            keep_sums(conn)
            assert windows(conn) == {}
    finally:
        folding.close()


def test_sums_that_lost_their_turn_to_folding_have_it_as_soon_as_that_is_done(conn: Connection) -> None:
    looked = "SELECT state = 'idle' AND query = 'COMMIT' FROM pg_stat_activity WHERE pid = %s"
    with own_connection("folding") as folding, own_connection("sums") as sums:
        folding.execute("SELECT pg_advisory_lock(%s)", [STATISTICS_LOCK])
        with in_background(
            lambda: keep_sums_in_turn(sums, patience_seconds=60),
            stop=lambda: folding.execute("SELECT pg_advisory_unlock(%s)", [STATISTICS_LOCK]),
        ) as kept:
            wait_until(lambda: conn.execute(looked, [sums.info.backend_pid]).fetchone() == (True,))
            assert not kept.done()
    assert windows(conn)
    assert not sums_are_late(conn)


def test_sums_go_with_the_statistics_that_they_were_made_of(conn: Connection) -> None:
    task = make_task()
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    store(conn, [(begin + n * DAY, task.namespace_id, task.pk, "failed", 1, 1, 1, 1) for n in range(10)])
    fold_statistics(conn)
    for first in (begin, begin + 5 * DAY):
        advance_window(conn, since=first, until=begin + 10 * DAY)
    assert StatSum.objects.count() == 2
    forget_statistics(conn, before=begin + 3 * DAY)
    assert list(windows(conn)) == [begin + 5 * DAY]
    assert StatSum.objects.count() == 1
    lock = own_connection("statistics lock")
    try:
        rebuild_statistics(conn, lock, since=begin + 8 * DAY)
    finally:
        lock.close()
    assert windows(conn) == {}
    assert not StatSum.objects.exists()


_READ = "SELECT sum(pg_stat_get_xact_tuples_returned(t) + pg_stat_get_xact_tuples_fetched(t)) FROM unnest(%s::oid[]) t"
_TABLES = """
SELECT array_agg(oid::oid) FROM pg_class WHERE relname ~ '^rota_stat_(day|hour|sum)' AND relkind IN ('r', 'i')
"""


@pytest.mark.parametrize("order", list(TaskOrder))
def test_the_first_of_many_tasks_are_found_without_reading_all_of_them(conn: Connection, order: TaskOrder) -> None:
    now = datetime(2026, 3, 30, 12, 30, tzinfo=UTC)
    task = make_task()
    conn.execute(
        "INSERT INTO rota_stat_day (task_id, day, namespace_id, outcome, bucket, count, lasted, waited) "
        "SELECT 1000 + n, %(day)s - d * interval '1 day', %(namespace)s, 'failed', n %% 7, 1 + n %% 3, "
        "n * interval '1 ms', '0' FROM generate_series(1, 3000) n, generate_series(0, 6) d",
        {"day": now.replace(hour=0, minute=0), "namespace": task.namespace_id},
    )
    since = slots_of(Span.WEEK, now=now, zone=UTC).begins_at
    advance_window(conn, since=since, until=now.replace(minute=0))
    conn.execute("VACUUM ANALYZE rota_stat_day, rota_stat_hour, rota_stat_sum")
    (tables,) = conn.execute(_TABLES).fetchone() or ([],)
    mine = callers_connection()
    with mine.transaction():
        before = mine.execute(_READ, [tables]).fetchone()
        found = task_figures(ALL, span=Span.WEEK, zone=UTC, now=now, order=order, limit=6)
        after = mine.execute(_READ, [tables]).fetchone()
    assert len(found) == 6
    assert before is not None
    assert after is not None
    assert after[0] - before[0] < 1000
