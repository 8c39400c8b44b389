"""The worker's end of its guard: starts it, tells it which runs are open, and starts another should it die."""

import atexit
import logging
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parent.parent.parent
#: Between the death of a guard and the next one.
_PAUSE_SECONDS = 0.5
#: How long an ending worker waits for its guard, which has nothing left to do then.
_END_SECONDS = 2.0


class Guard:
    """One guard process for this process, started with the first run. Every method may be called from any thread.

    A guard that cannot be started or does not listen is no reason not to run anything: the worker goes on, and
    says so in its log.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        #: Our end of the pipe that it reads.
        self._pipe: int | None = None
        #: The lines that a new guard needs to know about each open run.
        self._open: dict[str, list[str]] = {}
        self._closing = threading.Event()

    @property
    def pid(self) -> int | None:
        """The number of the guard process, or None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def open(self, mark: str) -> None:
        """Say that a run with this mark is about to begin."""
        self._tell(mark, f"open {mark}\n")

    def leader(self, mark: str, pid: int, started: int | None) -> None:
        """Say which process leads the run, and when it started (in ticks; None when nobody knows)."""
        self._tell(mark, f"leader {mark} {pid} {-1 if started is None else started}\n")

    def close(self, mark: str) -> None:
        """Say that nothing is left of the run."""
        with self._lock:
            self._open.pop(mark, None)
            if self._process is not None:
                self._write(f"close {mark}\n")

    def end(self) -> None:
        """Let the guard go. Should runs be open, it ends them."""
        self._closing.set()
        with self._lock:
            process, self._process = self._process, None
            self._let_go()
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)

    def _tell(self, mark: str, line: str) -> None:
        with self._lock:
            self._open.setdefault(mark, []).append(line)
            if self._process is None:
                self._start()
            else:
                self._write(line)

    def _write(self, line: str) -> None:
        """Write one line; to a guard that does not take it, or is gone, not at all: it is replaced."""
        process = self._process
        if process is None or self._pipe is None:
            return
        try:
            os.write(self._pipe, line.encode())
        except OSError as error:
            # Full: it has not read for hundreds of runs. Broken: it is dead, and whoever waits for it finds out.
            logger.warning("the guard does not listen: %s", error, extra={"action": "guard"})
            process.kill()

    def _start(self) -> None:
        """Start a guard and tell it of every open run.

        They are in the pipe before it lives: should this worker be killed at this very moment, it knows all the same.
        """
        if self._closing.is_set():
            return
        theirs, ours = os.pipe()
        # A guard that hangs must not make its worker hang.
        os.set_blocking(ours, False)
        told = "".join(line for lines in self._open.values() for line in lines).encode()
        try:
            said = os.write(ours, told) if told else 0
            process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "workers.handlers.guard_process", str(os.getpid())],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                # Nothing of the worker's environment: the guard needs none of its secrets.
                env={"PYTHONPATH": str(_ROOT)},
            )
        except OSError as error:
            os.close(ours)
            logger.warning("no guard could be started: %s", error, extra={"action": "guard"})
            return
        finally:
            os.close(theirs)
        self._process, self._pipe = process, ours
        if said < len(told):
            # More runs than a pipe holds.
            self._write(told[said:].decode())
        threading.Thread(target=self._replace_when_dead, args=[process], name="rota-guard", daemon=True).start()

    def _replace_when_dead(self, process: "subprocess.Popen[bytes]") -> None:
        code = process.wait()
        if self._closing.is_set():
            return
        logger.warning("the guard ended with code %s; starting another", code, extra={"action": "guard"})
        self._closing.wait(_PAUSE_SECONDS)
        with self._lock:
            if self._process is process:
                self._process = None
                self._let_go()
                self._start()

    def _let_go(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            with suppress(OSError):
                os.close(pipe)


#: The guard of this process.
guard = Guard()
atexit.register(guard.end)
