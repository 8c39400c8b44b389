"""A disk that is full holds everything up and loses nothing; with room again, everybody goes on by themselves.

The history lies in a tablespace on a small file system of its own, which is then filled. The write-ahead log is not
there: a server that cannot write that stops, which is what test_worker_life and the chaos run are about.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduling.db import Connection, database_now
from scheduling.engine.partitions import create_ahead
from scheduling.models import QueueEntry, TaskInstance
from scheduling.services import run_task_now
from tests.factories import make_task
from tests.processes.conftest import Start
from tests.support.waiting import wait_until
from workers.models import LogChunk

pytestmark = [pytest.mark.processes]

SIZE_MB = 24
TABLES = ("rota_instance", "rota_execution", "rota_log_chunk")


class SmallDisk:
    """A file system that a test can fill and free."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Take all the room that is left."""
        with (self.path / "filler").open("ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"\0" * 4096)
            except OSError:
                return

    def free(self) -> None:
        """Give it back."""
        (self.path / "filler").unlink()


def move(conn: Connection, tablespace: str) -> None:
    """Put today's history into a tablespace."""
    for table in TABLES:
        names = conn.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
        for (name,) in names.fetchall():
            conn.execute(f"ALTER TABLE {name} SET TABLESPACE {tablespace}")


@pytest.fixture
def disk(conn: Connection) -> Iterator[SmallDisk]:
    """The small disk, with the history on it."""
    (directory,) = conn.execute("SHOW data_directory").fetchone() or ("",)
    if not Path(directory).is_dir():
        pytest.skip("the database is on another machine, whose disk cannot be filled")
    owner = os.stat(directory)
    path = Path(tempfile.mkdtemp(prefix="rota-small-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=755", "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        path.rmdir()
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        path.chmod(0o755)
        space = path / "space"
        space.mkdir(mode=0o700)
        os.chown(space, owner.st_uid, owner.st_gid)
        create_ahead(conn, now=database_now(conn), days=1)
        conn.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        move(conn, "small")
        yield SmallDisk(path)
        (path / "filler").unlink(missing_ok=True)
        move(conn, "pg_default")
        conn.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=False)
        path.rmdir()


def test_workers_and_schedulers_wait_for_room_and_go_on(conn: Connection, start: Start, disk: SmallDisk) -> None:
    modules = {"ROTA_TASK_MODULES": "tests.processes.functions"}
    worker = start("runworker", "--handlers", "shell,python", "--name", "w", **modules)
    wait_until(lambda: "started" in worker.said(), what="the worker has started")
    quiet = make_task(
        handler="python",
        params={"function": "tests.give_noise", "kwargs": {"go": str(disk.path / "quiet")}},
        overlap="allow",
    )
    loud_command = 'while [ ! -e "$GO" ]; do sleep 0.02; done; head -c 300000 /dev/urandom | base64'
    loud = make_task(params={"command": loud_command, "env": {"GO": str(disk.path / "loud")}}, overlap="allow")
    instances = [run_task_now(task) for task in (quiet, quiet, quiet, loud, loud)]
    wait_until(lambda: QueueEntry.objects.filter(state=1).count() == 5, what="all of them run")
    disk.fill()
    (disk.path / "quiet").touch()
    # Twice: it does not take the first refusal for the result's own fault.
    wait_until(lambda: worker.said().count("No space left on device") >= 2, what="the worker waits with the results")
    (disk.path / "loud").touch()
    for number in range(80):
        make_task(name=f"tick-{number}", trigger="interval", every_seconds=1, catch_up="all", overlap="allow")
    scheduler = start("runscheduler")
    wait_until(lambda: "No space left on device" in scheduler.said(), what="the scheduler has noticed")
    assert TaskInstance.objects.filter(outcome="failed").count() == 0
    assert QueueEntry.objects.filter(instance_id__in=[each.pk for each in instances]).count() == 5

    disk.free()

    ended = TaskInstance.objects.filter(pk__in=[each.pk for each in instances], outcome="succeeded")
    wait_until(lambda: ended.count() == 5, what="the results were kept and are written")
    for instance in instances[3:]:
        log = "".join(
            LogChunk.objects.filter(execution__instance_id=instance.pk).order_by("seq").values_list("body", flat=True)
        )
        assert len(log) > 400_000
    wait_until(
        lambda: TaskInstance.objects.filter(task__name__startswith="tick-", outcome="succeeded").count() > 80,
        what="ticks are fired and run",
    )
    assert worker.process.poll() is None
    assert scheduler.process.poll() is None
