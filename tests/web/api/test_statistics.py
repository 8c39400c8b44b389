"""Statistics over the API: what charts show, for whoever may see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from scheduling.db import callers_connection
from scheduling.domain.histogram import Histogram, bounds_of_bucket
from scheduling.domain.spans import Span, slots_of
from scheduling.engine.fold_statistics import fold_statistics
from scheduling.engine.schedulers import register_scheduler
from scheduling.models import Task, TaskClock
from scheduling.services import delete_task, run_task_now
from tests.factories import make_namespace, make_registration, make_task, make_user
from tests.web.api.client import Client, client_of
from tests.web.api.work import end, ended, free_task, running
from workers.domain.states import ExecutionState

PLACES = ["outcomes", "tasks", "health", "upcoming", "failures"]


def fold() -> None:
    """Let a scheduler pass."""
    fold_statistics(callers_connection())


def some_work() -> tuple[Task, Task]:
    """Two tasks of two namespaces: 2 successes and 1 failure, and 1 success."""
    first = free_task(name="first")
    second = free_task(name="second", namespace=make_namespace("team-b"))
    for state in (ExecutionState.SUCCEEDED, ExecutionState.SUCCEEDED, ExecutionState.FAILED):
        ended(first, state)
    ended(second)
    fold()
    return first, second


@pytest.mark.parametrize(("span", "slots"), [("24h", 24), ("7d", 7), ("30d", 30)])
def test_what_ended_lies_in_the_last_slot_and_the_slots_have_no_gap(history: None, span: str, slots: int) -> None:
    some_work()
    series = client_of(make_user(superuser=True)).get(f"statistics/outcomes/?range={span}").ok()
    assert series["range"] == span
    assert len(series["slots"]) == slots
    assert all(a["ends_at"] == b["begins_at"] for a, b in zip(series["slots"], series["slots"][1:], strict=False))
    total = series["total"]
    assert (total["succeeded"], total["failed"], total["skipped"], total["cancelled"]) == (3, 1, 0, 0)
    assert total["success_ratio"] == 0.75
    assert total["mean_seconds"] > 0
    # At the full hour an end and the question may lie in two slots.
    assert sum(slot["counts"]["succeeded"] for slot in series["slots"][-2:]) == 3
    assert series["slots"][0]["counts"]["success_ratio"] is None


def test_numbers_are_narrowed_and_nobody_sees_those_of_a_foreign_namespace(history: None) -> None:
    first, second = some_work()
    root = client_of(make_user(superuser=True))
    ada = client_of(make_user("ada", default=Role.VIEWER))
    nobody = client_of(make_user("nobody"))

    def total(client: Client, query: str = "") -> int:
        counts = client.get(f"statistics/outcomes/?{query}").ok()["total"]
        return int(counts["succeeded"] + counts["failed"])

    assert [total(each) for each in (root, ada, nobody)] == [4, 3, 0]
    assert total(root, "namespace=team-b") == 1
    assert [each.get("statistics/outcomes/?namespace=team-b").status for each in (ada, nobody)] == [400, 400]
    assert [total(each, f"task={second.pk}") for each in (root, ada, nobody)] == [1, 0, 0]
    assert total(root, f"task={first.pk}&namespace=team-b") == 0
    names = {row["name"] for row in ada.get("statistics/tasks/?range=30d").ok()["results"]}
    assert names == {"first"}
    assert ada.get(f"tasks/{second.pk}/statistics/").status == 404


def test_tasks_come_in_the_order_that_was_asked_for(api: Client) -> None:
    quick, slow, flaky = (free_task(name=name) for name in ("quick", "slow", "flaky"))
    for _ in range(3):
        ended(quick)
    claimed = running(slow)
    callers_connection().execute(
        "UPDATE rota_queue_entry SET claimed_at = claimed_at - interval '100 s' WHERE instance_id = %s",
        [claimed.instance_id],
    )
    end(claimed)
    ended(flaky, ExecutionState.FAILED)
    ended(flaky)
    fold()

    def order(by: str, more: str = "") -> list[str]:
        return [row["name"] for row in api.get(f"statistics/tasks/?range=7d&order={by}{more}").ok()["results"]]

    assert order("failing") == ["flaky"]
    assert order("busiest") == ["quick", "flaky", "slow"]
    assert order("slowest")[0] == "slow"
    assert order("busiest", "&limit=1") == ["quick"]
    (line,) = api.get(f"statistics/tasks/?range=24h&task={slow.pk}").ok()["results"]
    assert line["counts"]["mean_seconds"] == line["counts"]["p95_seconds"] > 100


def test_a_deleted_task_keeps_its_numbers_and_its_name(api: Client) -> None:
    task = free_task(name="gone")
    ended(task, ExecutionState.FAILED)
    fold()
    delete_task(task)
    (line,) = api.get("statistics/tasks/?order=failing").ok()["results"]
    assert (line["name"], line["deleted"]) == ("gone", True)
    (failure,) = api.get("statistics/failures/").ok()["results"]
    assert failure["task_name"] == "gone"


def test_health_tells_what_waits_and_who_lives(api: Client) -> None:
    conn = callers_connection()
    free = free_task()
    failed = ended(free, ExecutionState.FAILED)
    running(free, node=make_registration(conn, slots=4))
    run_task_now(free)
    run_task_now(free, at=datetime.now(UTC) + timedelta(hours=1))
    register_scheduler(conn, name="s", host="h", pid=1, version="1")
    health = api.get("statistics/health/").ok()
    queue = health["queue"]
    assert failed.outcome == "failed"
    assert (queue["running"], queue["ready"], queue["planned"], queue["depth"]) == (1, 1, 1, 3)
    assert queue["failed_last_hour"] == 1
    assert queue["oldest_due_seconds"] >= queue["oldest_ready_seconds"] >= 0
    assert queue["oldest_due_at"] == queue["oldest_ready_at"], "nothing waits for a limit"
    assert health["schedulers"]["online"] == 1
    assert (health["nodes"]["online"], health["nodes"]["slots"]) == (2, 12)
    nobody = client_of(make_user("nobody")).get("statistics/health/").ok()
    assert (nobody["queue"]["depth"], nobody["queue"]["failed_last_hour"]) == (0, 0)


def test_the_next_hour_holds_every_tick_of_enabled_tasks_in_order(api: Client) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    often = make_task(name="often", trigger="interval", every_seconds=1200, anchor_at=now)
    once = make_task(name="later", trigger="interval", every_seconds=86400, anchor_at=now + timedelta(minutes=30))
    paused = make_task(name="paused", trigger="interval", every_seconds=60, anchor_at=now, enabled=False)
    for task, ahead in ((often, 20), (once, 30)):
        TaskClock.objects.filter(task=task.pk).update(next_run_at=now + timedelta(minutes=ahead), dirty=False)
    fires = api.get("statistics/upcoming/").ok()["results"]
    assert [fire["name"] for fire in fires] == ["often", "later", "often", "often"]
    assert paused.name not in {fire["name"] for fire in fires}
    assert len(api.get("statistics/upcoming/?limit=2").ok()["results"]) == 2
    assert api.get(f"statistics/upcoming/?task={once.pk}").ok()["results"][0]["name"] == "later"


def test_what_nobody_fired_is_not_to_come_and_hides_nothing_that_is(api: Client) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    late = make_task(name="late", trigger="interval", every_seconds=60, anchor_at=now)
    TaskClock.objects.filter(task=late.pk).update(next_run_at=now - timedelta(hours=10), dirty=False)
    fires = api.get("statistics/upcoming/?limit=5").ok()["results"]
    assert [fire["name"] for fire in fires] == ["late"] * 5
    assert min(fire["at"] for fire in fires) >= now.isoformat()[:19]


def test_the_latest_failures_come_first_with_their_sentence(api: Client) -> None:
    task = free_task(name="fragile")
    for message in ("first", "second"):
        end(running(task), ExecutionState.FAILED, message=message)
    failures = api.get("statistics/failures/").ok()["results"]
    assert [failure["message"] for failure in failures] == ["second", "first"]
    assert {failure["task_name"] for failure in failures} == {"fragile"}
    assert len(api.get("statistics/failures/?limit=1").ok()["results"]) == 1


def test_a_task_shows_its_last_ends_as_a_strip(api: Client) -> None:
    task = free_task()
    ids = [
        ended(task, state).pk for state in (ExecutionState.FAILED, ExecutionState.SUCCEEDED, ExecutionState.CANCELLED)
    ]
    running(task)
    fold()
    body = api.get(f"tasks/{task.pk}/statistics/?range=7d").ok()
    assert [(row["id"], row["state"]) for row in body["recent"]] == list(
        zip(ids, ["failed", "succeeded", "cancelled"], strict=True)
    )
    assert body["total"]["success_ratio"] == 0.5


@pytest.mark.parametrize("place", PLACES)
def test_statistics_cost_few_statements_and_the_same_number_however_much_there_is(api: Client, place: str) -> None:
    some_work()
    with CaptureQueriesContext(connection) as few:
        api.get(f"statistics/{place}/").ok()
    for _ in range(3):
        some_more = free_task()
        ended(some_more, ExecutionState.FAILED)
        running(some_more)
    fold()
    with CaptureQueriesContext(connection) as many:
        api.get(f"statistics/{place}/").ok()
    assert len(many) == len(few) <= 8


@pytest.mark.parametrize("place", PLACES)
def test_statistics_are_for_those_who_are_logged_in(history: None, place: str) -> None:
    assert Client().get(f"statistics/{place}/").status == 401


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("statistics/outcomes/?range=1y", "range"),
        ("statistics/outcomes/?timezone=Mars/Olympus", "timezone"),
        ("statistics/outcomes/?timezone=../../etc/passwd", "timezone"),
        ("statistics/outcomes/?task=x", "task"),
        ("statistics/outcomes/?task=99999999999", "task"),
        ("statistics/outcomes/?tasks=1", "tasks"),
        ("statistics/tasks/?order=best", "order"),
        ("statistics/tasks/?limit=0", "limit"),
        ("statistics/upcoming/?limit=100000", "limit"),
        ("statistics/health/?range=24h", "range"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(api: Client, path: str, name: str) -> None:
    assert name in api.get(path).problems()


@pytest.mark.unit
@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("UTC", "2026-03-23T00:00:00+00:00"),
        ("Europe/Berlin", "2026-03-22T23:00:00+00:00"),
        # Half past six: the day begins with the next whole hour of UTC.
        ("Asia/Kolkata", "2026-03-22T19:00:00+00:00"),
    ],
)
def test_days_begin_at_the_viewers_midnight(zone: str, first: str) -> None:
    now = datetime(2026, 3, 29, 12, tzinfo=UTC)
    slots = slots_of(Span.WEEK, now=now, zone=ZoneInfo(zone))
    assert slots.begins_at.isoformat() == first
    assert len(slots) == 7
    lengths = [b - a for a, b in zip(slots.edges, slots.edges[1:], strict=False)]
    # On the last of these days Berlin puts its clocks forward.
    assert lengths[-1] == timedelta(hours=23 if zone == "Europe/Berlin" else 24)
    assert slots.index(slots.ends_at) is None
    assert slots.index(now) == 6


@pytest.mark.unit
def test_a_quantile_is_never_off_by_more_than_its_class() -> None:
    seconds = [0.003, 0.02, 0.02, 0.5, 1.1, 1.1, 1.1, 7.0, 9.0, 100.0]
    histogram = Histogram()
    for each in seconds:
        lasted = timedelta(seconds=each)
        (bucket,) = [n for n in range(32) if _holds(n, lasted)]
        histogram.add(bucket, 1, lasted)
    histogram.add(-1, 5, timedelta(0))
    assert histogram.count == 10
    assert histogram.mean == timedelta(seconds=sum(seconds)) / 10
    for share, exact in ((0.5, 1.1), (0.8, 7.0), (0.95, 100.0)):
        found: Any = histogram.quantile(share)
        assert exact / 2 <= found.total_seconds() <= exact * 2
    assert Histogram().quantile(0.5) is Histogram().mean is None


def _holds(bucket: int, lasted: timedelta) -> bool:
    lower, upper = bounds_of_bucket(bucket)
    return lower <= lasted and (upper is None or lasted < upper)
