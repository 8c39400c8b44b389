"""Ending a process with everything that it started."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

_PROC = Path("/proc")
#: How long a killed process may take to disappear. Only one that is stuck in the kernel takes longer than
#: moments.
_GONE_SECONDS = 5.0
_POLL_SECONDS = 0.02


class ProcessTree:
    """A process that leads a session and a group of its own, and all its descendants.

    Descendants that left the group (``setsid``, daemons) are found on Linux by a mark in their environment,
    which they inherited; elsewhere only the group can be reached.
    """

    def __init__(self, leader: "subprocess.Popen[bytes]", mark: str) -> None:
        """Take charge of ``leader``; ``mark`` is a ``NAME=value`` that only its environment has."""
        self._leader = leader
        self._group = leader.pid
        self._mark = mark.encode()

    def leader_has_ended(self) -> bool:
        """Whether the leader has ended. It stays unreaped, so that its number still belongs to its group."""
        if self._leader.returncode is not None:
            return True
        if not hasattr(os, "waitid"):
            return self._leader.poll() is not None
        try:
            ended = os.waitid(os.P_PID, self._leader.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        return ended is not None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the group and to all marked descendants outside of it."""
        self.send_to_group(number)
        for pid in self._strays():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def send_to_group(self, number: signal.Signals) -> None:
        """Send a signal to every process of the group. To be called before the leader is reaped."""
        if self._leader.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, number)

    def reap(self) -> int:
        """Wait for the leader and return its return code, negative for a signal."""
        return self._leader.wait()

    def wait_until_gone(self, *, strays: bool) -> bool:
        """Wait a little until the group is empty, and no strays live; return whether that is so."""
        end = time.monotonic() + _GONE_SECONDS
        while self._group_lives() or (strays and self._strays()):
            if time.monotonic() > end:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def others_live(self) -> bool:
        """Whether the ended leader left anything behind; taken for granted where there is no /proc."""
        return self._group_lives() or bool(self._strays())

    def _group_lives(self) -> bool:
        try:
            os.killpg(self._group, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        if not _PROC.joinpath("self").exists():
            return True
        # Orphans that nobody reaps (a container without an init) are dead all the same.
        return any(
            fields[2] == str(self._group) and fields[0] not in "ZX"
            for fields in map(_stat, _pids())
            if fields is not None
        )

    def _strays(self) -> list[int]:
        """Return the living processes with our mark, also those that left the group."""
        own = os.getpid()
        return [pid for pid in _pids() if pid != own and self._mark in _environment(pid) and _lives(pid)]


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]
    except OSError:
        return []


def _environment(pid: int) -> list[bytes]:
    try:
        return _PROC.joinpath(str(pid), "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _stat(pid: int) -> list[str] | None:
    """Return state, parent and group of a process (proc(5), ``stat`` from its third field on)."""
    try:
        return _PROC.joinpath(str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _lives(pid: int) -> bool:
    fields = _stat(pid)
    return fields is not None and fields[0] not in "ZX"
