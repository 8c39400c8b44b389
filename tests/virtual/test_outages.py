"""What becomes of the ticks of an outage: each catch-up rule with each kind of trigger, as a table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from scheduling.virtual_world import VirtualWorld

World = Callable[[str], VirtualWorld]

BEGINS = datetime(2026, 1, 5, 0, 30, tzinfo=UTC)
CRON = {"trigger": "cron", "cron_expression": "*/10 * * * *"}
INTERVAL = {"trigger": "interval", "every_seconds": 600, "anchor_at": datetime(2026, 1, 1, tzinfo=UTC)}
ONCE = {"trigger": "once", "run_at": BEGINS + timedelta(seconds=20)}
DELAY = {"trigger": "fixed_delay", "every_seconds": 600}

#: (length of the outage, kind, catch-up): rows that stand for missed ticks, as (outcome, count); (ran, 0) is one
#: that is merely late. Ticks at 00:30, 00:40 … are missed; the grace is a minute, or a tenth of the period.
TABLE = [
    (timedelta(minutes=1), CRON, "latest", [("succeeded", 0)]),
    (timedelta(minutes=1), CRON, "none", [("succeeded", 0)]),
    (timedelta(minutes=1), CRON, "all", [("succeeded", 0)]),
    (timedelta(minutes=1), INTERVAL, "latest", [("succeeded", 0)]),
    (timedelta(minutes=1), ONCE, "none", [("succeeded", 0)]),
    (timedelta(hours=1), CRON, "latest", [("succeeded", 7)]),
    (timedelta(hours=1), CRON, "none", [("skipped", 7)]),
    (timedelta(hours=1), CRON, "all", [("succeeded", 1)] * 6 + [("succeeded", 0)]),
    (timedelta(hours=1), INTERVAL, "latest", [("succeeded", 7)]),
    (timedelta(hours=1), INTERVAL, "none", [("skipped", 7)]),
    (timedelta(hours=1), INTERVAL, "all", [("succeeded", 1)] * 6 + [("succeeded", 0)]),
    (timedelta(hours=1), ONCE, "latest", [("succeeded", 1)]),
    (timedelta(hours=1), ONCE, "none", [("skipped", 1)]),
    (timedelta(hours=1), ONCE, "all", [("succeeded", 1)]),
    (timedelta(hours=1), DELAY, "latest", [("succeeded", 1)]),
    (timedelta(days=3), CRON, "latest", [("succeeded", 433)]),
    (timedelta(days=3), CRON, "none", [("skipped", 433)]),
    (timedelta(days=3), CRON, "all", [("skipped", 332)] + [("succeeded", 1)] * 100 + [("succeeded", 0)]),
    (timedelta(days=3), INTERVAL, "latest", [("succeeded", 433)]),
    (timedelta(days=3), INTERVAL, "none", [("skipped", 433)]),
    (timedelta(days=3), INTERVAL, "all", [("skipped", 332)] + [("succeeded", 1)] * 100 + [("succeeded", 0)]),
    (timedelta(days=3), ONCE, "latest", [("succeeded", 1)]),
    (timedelta(days=3), DELAY, "latest", [("succeeded", 1)]),
]


@pytest.mark.parametrize("length", [timedelta(minutes=1), timedelta(hours=1), timedelta(days=3)], ids=str)
def test_the_table_of_outages(virtual_scheduler: World, length: timedelta) -> None:
    world = virtual_scheduler("2026-01-05T00:00Z")
    cases = [
        (world.task(f"{number}", **trigger, catch_up=catch_up, overlap="queue_all"), expected)
        for number, (lasts, trigger, catch_up, expected) in enumerate(TABLE)
        if lasts == length
    ]
    assert cases
    world.run_until(BEGINS - timedelta(milliseconds=1))
    world.outage_until(BEGINS + length)
    world.run_until(BEGINS + length + timedelta(minutes=5))
    for task, expected in cases:
        rows = [one for one in world.instances(task) if one.created_at >= BEGINS]
        assert [(one.outcome, one.missed_count or 0) for one in rows] == expected, (task.name, task.trigger)
