"""What Linux says about its processes, read from /proc (proc(5)). Standard library only: the guard uses it too."""

import contextlib
import os
import signal
from dataclasses import dataclass

PROC = "/proc"

#: Ticks of the CPU times and start times in ``stat``.
TICKS_PER_SECOND: int = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: int = os.sysconf("SC_PAGE_SIZE")
#: The parent of every thread of the kernel.
_KTHREADD = 2


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment. ``pid`` and ``started`` together are never used again."""

    pid: int
    #: As in ps(1): R, S, D, Z, …
    state: str
    parent: int
    group: int
    session: int
    #: Its own CPU time and that of the children that it has waited for, in ticks.
    cpu_ticks: int
    #: When it started, in ticks since the machine did.
    started: int

    @property
    def lives(self) -> bool:
        """Whether it still runs: one that has ended stays in the table until its parent has asked about it."""
        return self.state not in "ZX"


def available() -> bool:
    """Whether there is a table to read."""
    return os.path.exists(f"{PROC}/self/stat")


def snapshot() -> dict[int, Process]:
    """Return all processes by their pid; none where there is no /proc."""
    try:
        names = os.listdir(PROC)
    except OSError:
        return {}
    found = (look_up(int(name)) for name in names if name.isdecimal())
    return {process.pid: process for process in found if process is not None}


def look_up(pid: int) -> Process | None:
    """Return one process, or None when there is none of that number."""
    # The name in parentheses may hold anything, also parentheses and spaces.
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    if len(fields) < 20:
        return None
    state, parent, group, session = fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3])
    if parent == _KTHREADD or pid == _KTHREADD:
        return None
    return Process(pid, state, parent, group, session, sum(map(int, fields[11:15])), int(fields[19]))


def environment(pid: int) -> list[bytes]:
    """Return the ``NAME=value`` that a process was started with; nothing where we may not look."""
    return _read(pid, "environ").split(b"\0")


def name(pid: int) -> str:
    """Return the short name of a process's program, or ``?``."""
    return _read(pid, "comm").decode(errors="replace").strip() or "?"


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has in RAM, what it shares with others included; 0 for one that is gone."""
    fields = _read(pid, "statm").split()
    return int(fields[1]) * _PAGE_BYTES if len(fields) > 1 else 0


def proportional_bytes(pid: int) -> int:
    """Return the same with shared pages divided among those that share them; slower to get."""
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return resident_bytes(pid)


def send_signal(process: Process, number: signal.Signals) -> bool:
    """Send a signal to exactly this process, never to a later one of its number; False when we may not."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    except (AttributeError, OSError):
        fd = None  # an old kernel
    try:
        now = look_up(process.pid)
        if now is None or now.started != process.started:
            return True
        with contextlib.suppress(ProcessLookupError):
            if fd is None:
                os.kill(process.pid, number)
            else:
                signal.pidfd_send_signal(fd, number)
    except PermissionError:
        return False
    finally:
        if fd is not None:
            os.close(fd)
    return True


def _read(pid: int, file: str) -> bytes:
    try:
        with open(f"{PROC}/{pid}/{file}", "rb", buffering=0) as opened:
            return opened.read()
    except OSError:
        return b""
