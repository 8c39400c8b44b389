"""What the API tells of nodes and schedulers, and what it lets be done to them."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from scheduling.models import Scheduler
from tests.web.api.client import Client


def test_schedulers_are_listed_with_their_health_and_lag(api: Client) -> None:
    Scheduler.objects.create(name="gone", last_seen_at=timezone.now() - timedelta(hours=1))
    Scheduler.objects.create(name="alive", lag_seconds=0.5, counts={"fired": 7})
    rows = api.results("schedulers/")
    assert [(row["name"], row["health"], row["lag_seconds"]) for row in rows] == [
        ("alive", "online", 0.5),
        ("gone", "lost", 0.0),
    ]
    assert rows[0]["counts"] == {"fired": 7}
