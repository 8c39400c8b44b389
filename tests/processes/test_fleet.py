"""Several schedulers and workers on one database share the work, each tick once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from scheduling.db import Connection, database_now
from scheduling.models import TaskInstance
from tests.factories import make_task
from tests.processes.conftest import Start
from tests.support.waiting import wait_until
from workers.models import Execution, Node

pytestmark = [pytest.mark.processes]

SECONDS = 30


def test_two_schedulers_and_two_workers_run_every_second_exactly_once(
    conn: Connection, start: Start, record_property: Callable[[str, object], None]
) -> None:
    start("runscheduler")
    start("runscheduler")
    for name in ("one", "two"):
        start("runworker", "--handlers", "python", "--name", name, ROTA_TASK_MODULES="tests.processes.functions")
    wait_until(lambda: Node.objects.filter(state="online").count() == 2, what="both workers are online")
    task = make_task(
        name="every second",
        trigger="cron",
        cron_expression="* * * * * *",
        handler="python",
        params={"function": "tests.nothing"},
    )
    first = database_now(conn) + timedelta(seconds=2)
    last = first + timedelta(seconds=SECONDS)
    ended = TaskInstance.objects.filter(task=task, scheduled_for__gt=first, scheduled_for__lte=last)
    wait_until(
        lambda: ended.filter(outcome__isnull=False).count() >= SECONDS and database_now(conn) > last,
        seconds=SECONDS + 30,
        what=f"{SECONDS} seconds have been run",
    )
    ticks = list(ended.order_by("scheduled_for").values_list("scheduled_for", flat=True))
    assert [b - a for a, b in pairwise(ticks)] == [timedelta(seconds=1)] * (SECONDS - 1)
    assert set(ended.values_list("outcome", flat=True)) == {"succeeded"}
    runs = Execution.objects.filter(instance__in=list(ended.values_list("pk", flat=True)))
    assert runs.count() == SECONDS, "each instance was run once"
    late = sorted((run.started_at - run.scheduled_for).total_seconds() * 1000 for run in runs)
    p50, p99 = late[len(late) // 2], late[min(len(late) - 1, int(len(late) * 0.99))]
    record_property(
        "figure",
        f"{SECONDS} ticks, 2 schedulers, 2 workers: start lateness p50 {p50:.1f} ms, p99 {p99:.1f} ms",
    )
