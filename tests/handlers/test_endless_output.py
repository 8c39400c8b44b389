"""Output without end costs its worker neither its memory nor its patience."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

MEGABYTE = 1024 * 1024

#: As a worker does it: a shell task writes into a log buffer, which is emptied now and then.
WORKER = """
import dataclasses, json, resource, sys, threading
from datetime import UTC, datetime
import django; django.setup()
from workers.conf import conf
from workers.engine.claim import Claimed
from workers.handlers.base import HandlerContext
from workers.handlers.shell import ShellHandler
from workers.runtime.log_buffer import LogBuffer
class Clock:
    def now(self): return datetime.now(UTC)
moment = datetime.now(UTC)
claimed = Claimed(instance_id=1, lease_id=2, scheduled_for=moment, namespace_id=3, task_id=4, task_version=1,
    handler="shell", attempt=1, losses=0, postponed=0, max_attempts=1, timeout_seconds=None, own_params=False,
    sort_key=moment)
log = LogBuffer(claimed, Clock(), dataclasses.replace(conf(), log_head_bytes=100_000, log_tail_bytes=20_000))
context = HandlerContext(namespace="d", task_name="t", instance_id=1, execution_id=2, attempt=1,
    scheduled_for=moment, idempotency_key="k", sink=log.write)
handler = ShellHandler()
handler.run(context, handler.parse({"command": "echo warm"}))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
handler.run(context, handler.parse({"command": sys.argv[1]}))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
chunks = [(chunk.stream, chunk.body) for chunk in log.take(final=True)]
print(json.dumps({"grown_kib": after - before, "chunks": chunks}))
"""


def test_the_log_of_64_megabytes_keeps_head_and_tail_in_bounded_memory() -> None:
    numbered = f"seq -f '%015.0f' 1 {64 * MEGABYTE // 16}"
    done = subprocess.run(
        [sys.executable, "-c", WORKER, numbered],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test"},
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    output = [body for stream, body in said["chunks"] if stream == "stdout"]
    (note,) = [number for number, (stream, _) in enumerate(said["chunks"]) if stream == "note"]
    kept = "".join(output)

    assert kept.startswith("warm\n000000000000001\n000000000000002\n")
    assert kept.endswith(f"{64 * MEGABYTE // 16:015}\n")
    assert 120_000 - 16_384 <= len(kept) <= 120_000 + 16_384
    assert 0 < note < len(said["chunks"]) - 1
    assert f"… {64 * MEGABYTE + 5 - len(kept)} bytes left out here …" in said["chunks"][note][1]
    assert said["grown_kib"] < 16 * 1024
