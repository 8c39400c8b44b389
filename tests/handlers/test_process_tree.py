"""Whatever a command starts, and wherever that goes, is gone before its execution is closed."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.handlers.support import MemoryLog, make_context, run, start, wait_until
from workers.handlers.base import HandlerCancelled, HandlerTimedOut
from workers.handlers.guard import guard
from workers.handlers.process_table import Process, look_up, send_signal
from workers.handlers.run_members import RunMembers
from workers.handlers.shell import ShellHandler

pytestmark = pytest.mark.processes

SHELL = ShellHandler()

#: Each of these hides in another way; each writes its pid and ignores SIGTERM.
ESCAPES = {
    "grandchild": "(sh stay.sh grandchild & wait) & ",
    "own_session": "setsid sh stay.sh own_session & ",
    "double_fork": "(setsid sh stay.sh double_fork > /dev/null 2>&1 < /dev/null &) ; ",
    "clean_environment": "(env -i PATH=$PATH sh stay.sh clean_environment &) ; ",
    "clean_session": "env -i PATH=$PATH setsid sh stay.sh clean_session & ",
}
STAY = "trap '' TERM HUP INT; echo $$ > $1.new; mv $1.new $1.pid; while :; do sleep 0.05; done\n"


def lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(autouse=True)
def _nothing_is_left_by_a_failing_test(tmp_path: Path) -> Iterator[None]:
    yield
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(tmp_path):
                process.kill()


def command(directory: Path) -> str:
    """A command that starts one process of each kind, ignores SIGTERM, and goes on."""
    directory.joinpath("stay.sh").write_text(STAY)
    return f"trap '' TERM; {''.join(ESCAPES.values())} sh stay.sh leader"


def pids(directory: Path) -> dict[str, int]:
    """The processes of that command, when all of them are there."""
    files = {name: directory / f"{name}.pid" for name in ("leader", *ESCAPES)}
    wait_until(lambda: all(file.exists() for file in files.values()), "all processes have started")
    found = {name: int(file.read_text()) for name, file in files.items()}
    assert all(lives(pid) for pid in found.values())
    return found


def test_nothing_is_left_after_a_cancel(log: MemoryLog, tmp_path: Path) -> None:
    context = make_context(log, kill_grace_seconds=0.2)
    future = start(SHELL, context, command=command(tmp_path), cwd=str(tmp_path))
    started = pids(tmp_path)

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    assert [name for name, pid in started.items() if lives(pid)] == []


def test_nothing_is_left_after_the_deadline(log: MemoryLog, tmp_path: Path) -> None:
    context = make_context(log, seconds=3, kill_grace_seconds=0.2)
    future = start(SHELL, context, command=command(tmp_path), cwd=str(tmp_path))
    started = pids(tmp_path)

    assert isinstance(future.exception(30), HandlerTimedOut)
    assert [name for name, pid in started.items() if lives(pid)] == []


def test_nothing_is_left_after_an_ordinary_end(log: MemoryLog, tmp_path: Path) -> None:
    tmp_path.joinpath("stay.sh").write_text(STAY)
    # One that has left in every way at once, and whose parent has ended, is beyond finding: RunMembers says so.
    found = {name: start for name, start in ESCAPES.items() if name != "clean_session"}
    quiet = "".join(found.values())
    waiting = " ".join(f"{name}.pid" for name in found)
    ends = f"exec > /dev/null 2>&1; {quiet} for f in {waiting}; do while [ ! -e $f ]; do sleep 0.02; done; done; exit 0"
    assert run(SHELL, make_context(log), command=ends, cwd=str(tmp_path))["exit_code"] == 0

    left = {name: int((tmp_path / f"{name}.pid").read_text()) for name in found}
    assert [name for name, pid in left.items() if lives(pid)] == []


def test_a_fork_storm_is_ended_with_everything_that_it_forked(log: MemoryLog, tmp_path: Path) -> None:
    context = make_context(log, kill_grace_seconds=0.1)
    tmp_path.joinpath("storm.sh").write_text(
        "trap '' TERM; echo $$ >> pids; sleep 0.1; setsid sh storm.sh & sh stay.sh x"
    )
    tmp_path.joinpath("stay.sh").write_text("while :; do sleep 0.05; done")
    future = start(SHELL, context, command="sh storm.sh", cwd=str(tmp_path))
    file = tmp_path / "pids"
    wait_until(lambda: file.exists() and file.read_text().count("\n") >= 4, "it has begun")

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    assert [pid for pid in map(int, file.read_text().split()) if lives(pid)] == []


WORKER = """
import sys
from datetime import UTC, datetime
import django; django.setup()
from workers.handlers.base import HandlerContext
from workers.handlers.guard import guard
from workers.handlers.shell import ShellHandler
def sink(stream, text): print(stream, text, flush=True)
context = HandlerContext(namespace="d", task_name="t", instance_id=1, execution_id=2, attempt=1,
    scheduled_for=datetime.now(UTC), idempotency_key="k", sink=sink)
handler = ShellHandler()
for command in sys.argv[2:]:
    params = handler.parse({"command": command, "cwd": sys.argv[1]})
    handler.run(context, params)
"""


class Killable:
    """A process that runs commands as a worker does, to be killed."""

    def __init__(self, directory: Path, *commands: str) -> None:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test"}
        self.process = subprocess.Popen([sys.executable, "-c", WORKER, str(directory), *commands], env=environment)

    def guard(self) -> psutil.Process:
        """Its guard."""
        found: list[psutil.Process] = []

        def look() -> bool:
            found[:] = [
                child
                for child in psutil.Process(self.process.pid).children()
                if child.status() != psutil.STATUS_ZOMBIE and "workers.handlers.guard_process" in child.cmdline()
            ]
            return bool(found)

        wait_until(look, "the guard has started")
        return found[0]

    def kill(self) -> None:
        """End it without giving it a chance."""
        self.process.kill()
        self.process.wait()


def test_nothing_is_left_after_the_worker_was_killed(tmp_path: Path) -> None:
    worker = Killable(tmp_path, command(tmp_path))
    started = pids(tmp_path)
    guarding = worker.guard()

    worker.kill()

    wait_until(lambda: not any(map(lives, started.values())), f"{started} are gone")
    wait_until(lambda: not lives(guarding.pid), "the guard has ended too")


def test_another_guard_takes_over_when_one_was_killed(tmp_path: Path) -> None:
    worker = Killable(tmp_path, command(tmp_path))
    started = pids(tmp_path)
    first = worker.guard()
    first.kill()
    wait_until(lambda: worker.guard().pid != first.pid, "another one was started")

    worker.kill()

    wait_until(lambda: not any(map(lives, started.values())), f"{started} are gone")


def test_the_guard_is_deaf_to_what_ends_its_worker_and_ends_with_it(tmp_path: Path) -> None:
    worker = Killable(tmp_path, "true", "echo $$ > pid; exec sleep 1000")
    wait_until(lambda: (tmp_path / "pid").exists(), "it runs")
    guarding = worker.guard()
    status = Path(f"/proc/{guarding.pid}/status")
    terminated = 1 << (signal.SIGTERM - 1)
    wait_until(lambda: bool(int(status.read_text().partition("SigIgn:")[2].split()[0], 16) & terminated), "it is ready")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        guarding.send_signal(number)
    assert os.getsid(guarding.pid) != os.getsid(worker.process.pid)
    assert worker.guard().pid == guarding.pid

    worker.kill()

    wait_until(lambda: not lives(guarding.pid), "it has ended")


def test_the_guard_has_nothing_of_its_workers_environment() -> None:
    run(SHELL, command="true")
    assert guard.pid is not None
    names = {pair.partition("=")[0] for pair in psutil.Process(guard.pid).environ()}
    assert names <= {"PYTHONPATH", "LC_CTYPE"}


def test_a_number_that_was_given_to_another_process_is_not_killed(log: MemoryLog) -> None:
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as stranger:
        there = look_up(stranger.pid)
        assert there is not None
        members = RunMembers("a mark that nobody has")
        # The leader of our run had this number before.
        members.led_by(stranger.pid, there.started - 1)
        assert members.find() == {}
        earlier = Process(there.pid, "S", there.parent, there.group, there.session, 0, there.started - 1)
        send_signal(earlier, signal.SIGKILL)
        assert lives(stranger.pid)
        stranger.kill()
