"""Real processes on the test's database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from config.database.url import url_of_default
from tests.support.forked import ROOT as ROOT
from tests.support.forked import ForkedProcess, can_fork


def environment(**over: str) -> dict[str, str]:
    """Return the environment of a Rota process that works on this test's database."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    return {
        **kept,
        "DATABASE_URL": url_of_default(),
        "DEBUG": "1",
        "SECRET_KEY": "a key for processes that tests start, and for nothing else",
        "PYTHONUNBUFFERED": "1",
        **over,
    }


def begin(
    args: Sequence[str], env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]
) -> subprocess.Popen[bytes] | ForkedProcess:
    """Start ``python args`` in a session of its own; cheaply, where it makes no difference."""
    if can_fork(args, env):
        return ForkedProcess(args, env, stdout, stderr)
    command = [sys.executable, *args]
    return subprocess.Popen(command, cwd=ROOT, env=dict(env), stdout=stdout, stderr=stderr, start_new_session=True)


def manage(*args: str, env: Mapping[str, str] | None = None, **over: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end and return what it said."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = begin(["manage.py", *args], env if env is not None else environment(**over), stdout, stderr)
        try:
            code = process.wait(timeout=110)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        said = []
        for each in (stdout, stderr):
            each.seek(0)
            said.append(each.read().decode())
        return subprocess.CompletedProcess(["manage.py", *args], code, *said)


class Started:
    """A process that runs until it is ended; its output is kept in a file. Runs manage.py, or ``program``."""

    def __init__(self, output: Path, *args: str, program: Sequence[str] | None = None, **over: str) -> None:
        self.output = output
        with output.open("wb") as sink:
            self.process = begin([*(program or ("manage.py",)), *args], environment(**over), sink, sink)

    def said(self) -> str:
        """What it has written so far."""
        return self.output.read_text(errors="replace")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; return its exit code."""
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def kill(self) -> None:
        """End it without giving it a chance."""
        self.process.kill()
        self.process.wait()
