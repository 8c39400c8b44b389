"""The guard: a small process beside a worker that ends what the worker was running should the worker be killed.

Started by workers/handlers/guard.py as ``python -m workers.handlers.guard_process WORKER_PID``, in a session of its
own, and deaf to the signals that end its worker in order. On its standard input it hears of runs, one line each:
``open MARK``, ``leader MARK PID STARTED``, ``close MARK``. The end of that input, or of the worker, means that nobody
watches those runs any more: it kills every process of every run that is still open, until none is left, and ends.

Standard library only, so that it is small and starts at once.
"""

import contextlib
import os
import select
import signal
import sys
import time

from workers.handlers.process_table import available, send_signal
from workers.handlers.run_members import RunMembers

#: A run that was announced may not have begun when its worker dies. So long (seconds) its mark is looked for.
LATECOMERS_SECONDS = 1.0
_POLL_SECONDS = 0.02
#: Where the kernel does not tell that the worker ended, we look so often.
_LOOK_SECONDS = 1.0


class OpenRuns:
    """The runs that a worker has announced and not closed."""

    def __init__(self) -> None:
        """Begin with none."""
        self._members: dict[str, RunMembers] = {}
        self._leaders: dict[str, int] = {}

    def hear(self, line: str) -> None:
        """Take one line from the worker; what is not understood is ignored."""
        match line.split():
            case ["open", mark]:
                self._members[mark] = RunMembers(mark)
            case ["leader", mark, pid, started] if mark in self._members:
                self._leaders[mark] = int(pid)
                if int(started) >= 0:
                    self._members[mark].led_by(int(pid), int(started))
            case ["close", mark]:
                self._members.pop(mark, None)
                self._leaders.pop(mark, None)

    def end(self) -> None:
        """Kill every process of every open run, again and again until none is left."""
        if not self._members:
            return
        if not available():
            for pid in self._leaders.values():
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)
            return
        # One whose leader is known and gone, with nothing left of it, has ended; the others may be on their way.
        not_before = time.monotonic() + (LATECOMERS_SECONDS if self._members.keys() - self._leaders.keys() else 0)
        while self._kill() or time.monotonic() < not_before:
            time.sleep(_POLL_SECONDS)

    def _kill(self) -> bool:
        """Kill what is there; return whether there was anything that we may kill."""
        living = [process for run in self._members.values() for process in run.find().values() if process.lives]
        killed = [send_signal(process, signal.SIGKILL) for process in living]
        return any(killed)


def main(worker: int) -> None:
    """Listen until the worker is gone, then end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    runs = OpenRuns()
    _listen(runs, worker)
    runs.end()


def _listen(runs: OpenRuns, worker: int) -> None:
    """Hear of runs until the input or the worker has ended.

    Both are watched: a process that the worker forked may hold the pipe open.
    """
    try:
        worker_fd: list[int] = [os.pidfd_open(worker)]
    except (AttributeError, OSError):
        worker_fd = []
    rest = b""
    while True:
        ready, _, _ = select.select([0, *worker_fd], [], [], None if worker_fd else _LOOK_SECONDS)
        if 0 in ready:
            data = os.read(0, 65536)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                runs.hear(line.decode(errors="replace"))
            if not data:
                return
        elif ready or os.getppid() != worker:
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
