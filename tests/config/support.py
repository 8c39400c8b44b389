"""What the tests of config/ start and ask: real processes that use a real embedded server."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.support.processes import manage as run_command

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Returns when the condition holds; fails with `what` when it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Tells whether the process runs; one that waits for its parent to take notice of its end does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns an environment with these variables and nothing of ours, as a new shell would have it."""
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **(variables or {})}


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs manage.py to its end, with small settings of our own unless `--settings` says otherwise."""
    if not any(argument.startswith("--settings") for argument in arguments):
        arguments = (*arguments, "--settings=tests.config.minimal_settings")
    return run_command(*arguments, env=environment(variables))


class ServerUser:
    """A process of its own that uses the embedded server until it is told to leave, or is killed."""

    def __init__(self, home: Path) -> None:
        """Starts the process and does not wait for it, so that several can start at once."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.config.server_user", str(home)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, statement: str) -> dict[str, Any]:
        """Returns what the process sees: value, postmaster, guard, socket_dir."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(statement) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the process ended with code {self.process.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def begin_to_leave(self) -> None:
        """Lets the process end by itself."""
        if self.process.stdin is not None:
            self.process.stdin.close()
            self.process.stdin = None

    def leave(self) -> None:
        """Lets the process end by itself, and returns when it has."""
        self.await_end()
        assert self.process.returncode == 0

    def kill(self) -> None:
        """Ends the process as the kernel does when memory runs out."""
        self.process.kill()
        self.await_end()

    def await_end(self) -> None:
        """Returns when the process has ended, however it does; it has nothing left to wait for."""
        self.begin_to_leave()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
