"""Ending a process with everything that it started."""

import contextlib
import os
import signal
import subprocess
import time

from workers.handlers.process_table import Process, available, look_up, name, send_signal
from workers.handlers.run_members import RunMembers

#: How long what was killed is waited for in silence. Only what is stuck in the kernel takes longer than moments.
PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.02
_SLOW_POLL_SECONDS = 0.5


class ProcessTree:
    """A process that leads a session and a group of its own, and all its descendants.

    Descendants that left the group (``setsid``, daemons) are found on Linux, see RunMembers; elsewhere only the
    group can be reached.
    """

    def __init__(self, leader: "subprocess.Popen[bytes]", mark: str) -> None:
        """Take charge of ``leader``, which has just been started; ``mark`` is its run's."""
        self._leader = leader
        self._members = RunMembers(mark)
        there = look_up(leader.pid)
        #: When the leader started, in ticks of the process table; None where there is no such table.
        self.started = None if there is None else there.started
        if self.started is not None:
            self._members.led_by(leader.pid, self.started)

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

    def members(self) -> dict[int, Process]:
        """Return the processes of the run by pid, ended ones included; none where there is no process table."""
        return self._members.find()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the group and to all descendants outside of it."""
        self.send_to_group(number)
        for process in self._living():
            if process.group != self._leader.pid:
                send_signal(process, number)

    def send_to_group(self, number: signal.Signals) -> None:
        """Send a signal to every process of the group. To be called before the leader is reaped."""
        if self._leader.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._leader.pid, number)

    def reap(self) -> int:
        """Wait for the leader and return its return code, negative for a signal."""
        return self._leader.wait()

    def others_live(self) -> bool:
        """Whether the ended leader left anything behind; taken for granted where there is no process table."""
        return bool(self._living()) or not available()

    def kill(self) -> list[str]:
        """Kill everything, and return when nothing is left; until then new processes are killed as they appear.

        Returns the names and pids of what is left all the same: processes that belong to another account.
        """
        self.send_to_group(signal.SIGKILL)
        self.reap()
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            living = self._living() if available() else []
            ours = [process for process in living if send_signal(process, signal.SIGKILL)]
            if not living and not self._unseen_group_lives():
                return []
            late = time.monotonic() > end
            if late and not ours:
                return [f"{name(process.pid)} ({process.pid})" for process in living]
            time.sleep(_SLOW_POLL_SECONDS if late else _POLL_SECONDS)

    def _unseen_group_lives(self) -> bool:
        """Whether the group has members, where there is no process table to see them in."""
        if available():
            return False
        try:
            os.killpg(self._leader.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _living(self) -> list[Process]:
        return [process for process in self._members.find().values() if process.lives]
