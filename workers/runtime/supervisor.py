"""Supervisor: several worker processes under one command, started again when they die, and ended together."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from workers.runtime.drain_limit import EXIT_UNFINISHED

logger = logging.getLogger(__name__)

#: A process that dies is started again after so long (seconds), which doubles up to the longest while it goes on dying.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0

#: One that has lived for so long (seconds) counts as well again.
WELL_AFTER = 60.0

#: The exit codes of a worker that was drained.
IN_ORDER = (0, EXIT_UNFINISHED)

#: How often (seconds) the supervisor looks whether all are alive, should a signal be missed.
LOOK_SECONDS = 1.0


@dataclass(kw_only=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = FIRST_PAUSE
    #: When it is to be started; None when it has ended in order.
    start_at: float | None = field(default_factory=time.monotonic)


class Supervisor:
    """Keeps one process for each of ``names`` alive until `stop`; ``command`` makes a name's command line.

    One that ends in order, because it was drained, is not started again. Each is a session of its own, so that
    Ctrl-C reaches it through the supervisor and once.
    """

    def __init__(
        self, names: Sequence[str], command: Callable[[str], Sequence[str]], report: Callable[[str], None]
    ) -> None:
        self._children = [_Child(name=name) for name in names]
        self._command, self._report = command, report
        self._stops = 0
        self._passed_on = 0
        self._worst = 0
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def stop(self) -> None:
        """Have every process drain; a second call shortens that. May be called from a signal handler."""
        self._stops += 1
        self.look()

    def look(self) -> None:
        """Look at the processes at once: one of them has ended. May be called from a signal handler."""
        with suppress(OSError):
            os.write(self._writer, b"!")

    def run(self) -> int:
        """Keep them alive until `stop`, and return when all have ended: 0, or the exit code of one that failed."""
        try:
            while not self._stops and (self._alive() or any(child.start_at is not None for child in self._children)):
                self._start_due()
                self._wait()
                self._look_after()
            while self._alive():
                self._pass_on()
                self._wait()
                self._gather()
        finally:
            self._kill_rest()
            os.close(self._reader)
            os.close(self._writer)
        return self._worst

    def _start_due(self) -> None:
        for child in self._children:
            if child.process is None and child.start_at is not None and time.monotonic() >= child.start_at:
                child.process = subprocess.Popen(  # noqa: S603 - our own command
                    list(self._command(child.name)), stdin=subprocess.DEVNULL, start_new_session=True
                )
                child.started_at = time.monotonic()

    def _look_after(self) -> None:
        for child in self._children:
            if child.process is None or (code := child.process.poll()) is None:
                continue
            child.process = None
            if code in IN_ORDER:
                self._report(f"{child.name} has ended")
                child.start_at = None
                self._worst = self._worst or code
                continue
            if time.monotonic() - child.started_at >= WELL_AFTER:
                child.pause = FIRST_PAUSE
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            self._report(f"{child.name} ended by itself {how}; it is started again in {child.pause:g} s")
            logger.warning("worker process %s ended %s", child.name, how, extra={"action": "worker_process_ended"})
            child.start_at = time.monotonic() + child.pause
            child.pause = min(child.pause * 2, LONGEST_PAUSE)

    def _pass_on(self) -> None:
        while self._passed_on < self._stops:
            self._passed_on += 1
            for child in self._alive():
                assert child.process is not None  # noqa: S101 - the living have one
                with suppress(ProcessLookupError):
                    child.process.send_signal(signal.SIGTERM)

    def _gather(self) -> None:
        for child in self._children:
            if child.process is not None and (code := child.process.poll()) is not None:
                child.process = None
                # By the signal that it was sent: it was still starting and had nothing to drain.
                if code and code != -signal.SIGTERM:
                    self._worst = self._worst or (1 if code < 0 else code)
                    self._report(f"{child.name} ended with {code}")

    def _alive(self) -> list[_Child]:
        return [child for child in self._children if child.process is not None]

    def _wait(self) -> None:
        pause = LOOK_SECONDS
        if not self._stops:
            for child in self._children:
                if child.process is None and child.start_at is not None:
                    pause = min(pause, max(0.0, child.start_at - time.monotonic()))
        select.select([self._reader], [], [], pause)
        with suppress(BlockingIOError):
            os.read(self._reader, 4096)

    def _kill_rest(self) -> None:
        """Leave nobody behind when the supervisor itself fails."""
        for child in self._alive():
            assert child.process is not None  # noqa: S101 - the living have one
            child.process.kill()
            child.process.wait()
