"""The schedulers and workers of a benchmark: real processes of manage.py on the scratch database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from config.benchmarks.errors import ProcessEnded
from config.database.url import url_of_default
from config.env import current_environment

FUNCTIONS = "config.benchmarks.functions"

#: How long a process may take to start, and to end after it was asked to (seconds).
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Child:
    """One process and where its output goes."""

    process: subprocess.Popen[bytes]
    output: Path

    def said(self) -> str:
        """What it has written so far."""
        return self.output.read_text(errors="replace")


class Processes:
    """Starts them, watches them, and ends them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []
        given = current_environment()
        for name in ("DATABASE_URL_FILE", "SECRET_KEY_FILE"):
            given.pop(name, None)
        self._environment = {
            **given,
            "DATABASE_URL": url_of_default(),
            "SECRET_KEY": settings.SECRET_KEY,
            "DEBUG": "0",
            "ROTA_TASK_MODULES": ",".join([*settings.WORKERS.get("TASK_MODULES", []), FUNCTIONS]),
            "PYTHONUNBUFFERED": "1",
        }

    def start_workers(self, count: int, *, concurrency: int, name: str = "benchmark") -> None:
        """Start ``count`` worker processes with ``concurrency`` slots each; returns when they take work."""
        for number in range(1, count + 1):
            # No shell, http or sql handler: each is one more lane to look at, as with any worker that has few.
            self._start(
                "runworker", "--name", f"{name}-{number}", "--concurrency", str(concurrency), "--handlers", "python"
            )
        self._await_started()

    def start_schedulers(self, count: int = 1) -> None:
        """Start ``count`` schedulers; returns when they fire."""
        for _ in range(count):
            self._start("runscheduler")
        self._await_started()

    @property
    def pids(self) -> list[int]:
        """The ids of all that run."""
        return [child.process.pid for child in self._children]

    def check(self) -> None:
        """Raise ProcessEnded when one of them has ended by itself."""
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                last = "\n".join(child.said().strip().splitlines()[-15:])
                raise ProcessEnded(f"A process of the benchmark ended by itself (exit code {code}). It said:\n{last}")

    def end(self, *pids: int) -> None:
        """End all, or those of ``pids``; kill what does not end in time."""
        ending = [child for child in self._children if not pids or child.process.pid in pids]
        for child in ending:
            with suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        for child in ending:
            try:
                child.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            self._children.remove(child)

    def kill(self) -> None:
        """End all at once: the scratch database goes with whatever they held."""
        for child in self._children:
            child.process.kill()
        for child in self._children:
            child.process.wait()
        self._children.clear()

    def _start(self, *command: str) -> None:
        output = self._folder / f"{len(os.listdir(self._folder))}-{command[0]}.log"
        with output.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, "manage.py", *command],
                cwd=settings.BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is ours to pass on, in order.
                start_new_session=True,
            )
        self._children.append(Child(process, output))

    def _await_started(self) -> None:
        deadline = time.monotonic() + PATIENCE
        waiting: Sequence[Child] = self._children
        while waiting := [child for child in waiting if "started" not in child.said()]:
            self.check()
            if time.monotonic() > deadline:
                raise ProcessEnded(f"A process of the benchmark did not start within {PATIENCE:g} s.")
            time.sleep(0.02)


@contextmanager
def processes() -> Iterator[Processes]:
    """Have processes that end with the block, however it ends."""
    with tempfile.TemporaryDirectory(prefix="rota-benchmark-") as folder:
        started = Processes(Path(folder))
        try:
            yield started
        except BaseException:
            started.kill()
            raise
        else:
            started.end()
