"""Backfills and ledgers by API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.roles import Role
from scheduling.models import Backfill, Task
from tests.factories import make_namespace, make_task, make_user
from tests.web.api.client import Client, client_of

RANGE = {"from": "2024-03-01T00:00:00Z", "until": "2024-03-01T05:00:00+01:00"}


@pytest.fixture
def hourly(history: None) -> Task:
    """A task with five ticks in the range."""
    return make_task(trigger="cron", cron_expression="0 * * * *")


def test_a_dry_run_lists_the_ticks_and_stores_nothing(api: Client, hourly: Task) -> None:
    plan = api.post("backfills/", {"task": hourly.pk, **RANGE, "dry_run": True}).ok()
    assert (plan["total"], plan["in_range"], plan["left_out"]) == (5, 5, 0)
    assert plan["ticks"] == [f"2024-03-01T{hour:02}:00:00Z" for hour in range(5)]
    assert not Backfill.objects.exists()


def test_a_backfill_is_started_watched_and_stopped(api: Client, hourly: Task) -> None:
    made = api.post("backfills/", {"task": hourly.pk, **RANGE, "overlap": "allow", "max_parallel": 3}).created()
    assert (made["from"], made["until"]) == ("2024-03-01T00:00:00Z", "2024-03-01T04:00:00Z")
    assert (made["state"], made["total"], made["created_by"], made["task_name"]) == ("running", 5, "ada", hourly.name)
    shown = api.get(f"backfills/{made['id']}/").ok()
    assert shown["progress"] == {
        "total": 5,
        "to_come": 5,
        "waiting": 0,
        "running": 0,
        "succeeded": 0,
        "failed": 0,
        "cancelled": 0,
        "skipped": 0,
        "percent": 0,
    }
    stopped = api.post(f"backfills/{made['id']}/stop/").ok()
    assert (stopped["cancelled"], stopped["backfill"]["state"]) == (0, "stopped")
    assert [each["id"] for each in api.results(f"backfills/?task={hourly.pk}&state=stopped")] == [made["id"]]
    assert api.results("backfills/?state=running") == []


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"from": "2024-03-02T00:00:00Z", "until": "2024-03-01T00:00:00Z"}, "until", "before it begins"),
        ({"from": "2024-03-01T00:00:00Z", "until": "2199-03-01T00:00:00Z"}, "until", "must lie in the past"),
        ({"from": "2020-03-01T00:00:00Z", "until": "2024-03-01T00:00:00Z"}, "until", "35065 ticks"),
        ({"from": "2024-03-01T00:00:00"}, "from", "time zone"),
        ({"from": None}, "from", "null"),
        ({"overlap": "skip"}, "overlap", "“skip” is none of these: queue_all, allow."),
        ({"max_parallel": 2}, "max_parallel", "one at once"),
        ({"max_paralel": 2}, "max_paralel", "max_parallel"),
        ({"task": 0}, "task", "There is no task 0"),
    ],
)
def test_what_cannot_be_done_is_refused_at_its_field(
    api: Client, hourly: Task, body: dict[str, Any], field: str, words: str
) -> None:
    problems = api.post("backfills/", {"task": hourly.pk, **RANGE, **body}).problems()
    assert words in " ".join(problems[field])
    assert not Backfill.objects.exists()


def test_a_viewer_sees_backfills_and_neither_starts_nor_stops_one(api: Client, hourly: Task) -> None:
    viewer = client_of(make_user(default=Role.VIEWER))
    made = api.post("backfills/", {"task": hourly.pk, **RANGE}).created()
    assert viewer.get(f"backfills/{made['id']}/").ok()["total"] == 5
    assert viewer.post(f"backfills/{made['id']}/stop/").status == 403
    assert viewer.post("backfills/", {"task": hourly.pk, **RANGE}).status == 403
    assert viewer.post("backfills/", {"task": hourly.pk, **RANGE, "dry_run": True}).status == 403


def test_what_belongs_to_others_does_not_exist(api: Client, history: None) -> None:
    theirs = make_task(namespace=make_namespace("theirs"), trigger="cron", cron_expression="0 * * * *")
    root = client_of(make_user(superuser=True))
    made = root.post("backfills/", {"task": theirs.pk, **RANGE}).created()
    assert api.get(f"backfills/{made['id']}/").status == 404
    assert api.post(f"backfills/{made['id']}/stop/").status == 404
    assert api.results("backfills/") == []
    hidden = api.post("backfills/", {"task": theirs.pk, **RANGE}).problems()["task"]
    assert hidden == [f"There is no task {theirs.pk}, or you may not see it."]
    assert api.get(f"tasks/{theirs.pk}/ledger/?from=2024-03-01T00:00:00Z&until=2024-03-02T00:00:00Z").status == 404


def test_the_ledger_tells_what_becomes_of_each_tick(api: Client, hourly: Task) -> None:
    begins = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    ends = begins + timedelta(hours=4)
    address = f"tasks/{hourly.pk}/ledger/?from={begins:%Y-%m-%dT%H:%M:%SZ}&until={ends:%Y-%m-%dT%H:%M:%SZ}"
    ledger = api.get(address).ok()
    assert ledger["counts"] == {"upcoming": 5, "unexplained": 0}
    assert (ledger["unexplained"], ledger["next_from"], ledger["note"]) == (0, None, "")
    assert ledger["ticks"][0] == {
        "at": f"{begins:%Y-%m-%dT%H:%M:%SZ}",
        "state": "upcoming",
        "instance": None,
        "instance_state": None,
        "late_seconds": None,
        "reason": "",
        "message": "",
        "backfilled": [],
    }
    page = api.get(f"{address}&limit=2").ok()
    assert [len(page["ticks"]), page["until"]] == [2, ledger["ticks"][1]["at"]]
    rest = api.get(f"tasks/{hourly.pk}/ledger/?from={page['next_from']}&until={ends:%Y-%m-%dT%H:%M:%SZ}").ok()
    assert page["ticks"] + rest["ticks"] == ledger["ticks"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "from"),
        ("?from=2024-03-01T00:00:00Z", "until"),
        ("?from=yesterday&until=2024-03-01T00:00:00Z", "from"),
        ("?from=2024-03-02T00:00:00Z&until=2024-03-01T00:00:00Z", "until"),
        ("?from=2024-03-01T00:00:00Z&until=2024-03-02T00:00:00Z&limit=100000", "limit"),
        ("?from=2024-03-01T00:00:00Z&until=2024-03-02T00:00:00Z&page=2", "page"),
    ],
)
def test_a_period_that_is_none_is_refused(api: Client, hourly: Task, query: str, field: str) -> None:
    assert field in api.get(f"tasks/{hourly.pk}/ledger/{query}").problems()
