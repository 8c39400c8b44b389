"""A worker whose connections are cut, at any moment, loses and keeps nothing that it should not."""

from __future__ import annotations

import pytest

from scheduling.db import Connection
from scheduling.models import QueueEntry, TaskInstance
from scheduling.services import run_task_now
from tests.factories import make_task
from tests.processes.conftest import Start
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.processes]


def cut(conn: Connection) -> None:
    """End every connection of schedulers and workers."""
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE 'rota worker%' AND datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_nothing_stays_claimed_although_connections_are_cut_while_work_is_claimed(
    conn: Connection, start: Start
) -> None:
    task = make_task(overlap="allow")
    worker = start("runworker", "--handlers", "shell", "--name", "w", "--concurrency", "4")
    wait_until(lambda: "started" in worker.said())
    for _ in range(15):
        for _ in range(6):
            run_task_now(task)
        cut(conn)
    wait_until(lambda: not QueueEntry.objects.exists(), seconds=60, what="everything has ended")
    assert set(TaskInstance.objects.values_list("outcome", flat=True)) == {"succeeded"}
