"""What is known of an attempt that failed while the next one is waited for."""

from __future__ import annotations

import pytest

from scheduling.db import Connection
from scheduling.failed_attempt import failed_attempt
from scheduling.models import QueueEntry, TaskInstance
from tests.engine.work import one_claim, report_of
from workers.domain.states import ExecutionState
from workers.engine.complete import complete


@pytest.mark.parametrize(
    ("reason", "counted", "said"),
    [
        ("exit_code", True, "Attempt 1 of 5 failed: It ended with 75. Next at "),
        ("put_off", False, "Put off: It ended with 75. Next at "),
    ],
)
def test_an_instance_that_waits_for_a_retry_keeps_what_failed(
    conn: Connection, reason: str, counted: bool, said: str
) -> None:
    claimed = one_claim(conn, max_attempts=5)
    instance = TaskInstance.objects.get(pk=claimed.instance_id)
    assert failed_attempt(instance) is None
    failed = report_of(
        claimed,
        ExecutionState.FAILED,
        reason=reason,
        message="It ended with 75.",
        retry_seconds=60.0,
        counted=counted,
    )
    complete(conn, [failed])
    found = failed_attempt(instance)
    assert found is not None
    assert (found.reason, found.put_off) == (reason, not counted)
    assert found.next_at == QueueEntry.objects.get(pk=instance.pk).run_at
    assert str(found).startswith(said)
