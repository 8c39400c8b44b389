"""Processes that begin as a fork, see `tests.support.prefork`; they are handled like those of `subprocess`."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent.parent


class ForkedProcess:
    """A process with the interface of subprocess.Popen, as far as tests use it."""

    def __init__(self, args: Sequence[str], env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.args = [sys.executable, *args]
        self.returncode: int | None = None
        self._line, theirs = socket.socketpair()
        with theirs:
            self._line.sendall(json.dumps({"args": list(args), "environ": dict(env)}).encode() + b"\n")
            socket.send_fds(_server(), [b"+"], [theirs.fileno(), stdout.fileno(), stderr.fileno()])
        self._said = b""
        self.pid = self._number()

    def _number(self) -> int:
        """Read the next number that is said; raises TimeoutError or BlockingIOError, and EOFError."""
        while b"\n" not in self._said:
            more = self._line.recv(64)
            if not more:
                raise EOFError("the process that forks has ended")
            self._said += more
        number, _, self._said = self._said.partition(b"\n")
        return int(number)

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        try:
            return self.wait(timeout=0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code; raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = self._number()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def can_fork(args: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether the interpreter itself is told nothing that would come too late for a fork."""
    told = {name for name in env if name.startswith(("PYTHON", "LD_"))} - {"PYTHONUNBUFFERED"}
    return not told and (args[0] == "manage.py" or (args[0] == "-m" and len(args) > 1))


@cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair()
    env = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.prefork", str(theirs.fileno())],
            cwd=ROOT,
            env=env,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours
