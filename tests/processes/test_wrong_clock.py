"""A scheduler on a machine whose clock is an hour wrong goes by the database's clock."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from django.db.models import F

from scheduling.db import Connection
from scheduling.models import TaskInstance
from tests.factories import make_task
from tests.processes.conftest import Start
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.processes]

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed; on Debian: apt-get install faketime")
@pytest.mark.parametrize("offset", ["+1h", "-1h"])
def test_nothing_fires_early_and_nothing_is_missed(conn: Connection, start: Start, offset: str) -> None:
    task = make_task(trigger="interval", every_seconds=0.5, overlap="allow")
    hourly = make_task(trigger="interval", every_seconds=3600, overlap="allow")
    wrong = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    shown = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"], env=wrong, capture_output=True, text=True, check=True
    )
    assert abs(float(shown.stdout) - time.time()) > 3000, "the clock of such a process is wrong indeed"
    start("runscheduler", **wrong)
    fired = TaskInstance.objects.filter(task=task).order_by("scheduled_for")
    wait_until(lambda: fired.count() >= 6)
    assert not fired.filter(created_at__lt=F("scheduled_for")).exists()
    moments = list(fired.values_list("scheduled_for", flat=True))
    assert {(later - earlier).total_seconds() for earlier, later in pairwise(moments)} == {0.5}
    assert not TaskInstance.objects.filter(task=hourly).exists()
    assert set(fired.values_list("missed_count", flat=True)) == {None}
