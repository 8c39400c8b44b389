"""Real processes on the test's database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.database.url import url_of_default

ROOT = Path(__file__).resolve().parent.parent.parent


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


def manage(*args: str, env: Mapping[str, str] | None = None, **over: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end and return what it said."""
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=ROOT,
        env=dict(env) if env is not None else environment(**over),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


class Started:
    """A process that runs until it is ended; its output is kept in a file. A command of manage.py, or ``program``."""

    def __init__(self, output: Path, *args: str, program: Sequence[str] | None = None, **over: str) -> None:
        self.output = output
        with output.open("wb") as sink:
            self.process = subprocess.Popen(
                [*(program or (sys.executable, "manage.py")), *args],
                cwd=ROOT,
                env=environment(**over),
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

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
