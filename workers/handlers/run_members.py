"""Which processes belong to a run: everything that its first process started, wherever it went since."""

import os

from workers.handlers.process_table import Process, environment, snapshot

#: A variable with a new value for every run; what inherits it belongs to the run.
MARK_VARIABLE = "ROTA_RUN_MARK"


class RunMembers:
    """Finds the processes of one run in the table of processes.

    To a run belong its leader's group and session, whatever carries the run's mark in its environment, every
    descendant of any of these, and what was once seen among them. A process that empties its environment, begins
    a session of its own *and* loses its parent before anybody has looked is the only one that is not found.
    """

    def __init__(self, mark: str) -> None:
        """``mark`` is the value of MARK_VARIABLE that only this run has."""
        self._mark = f"{MARK_VARIABLE}={mark}".encode()
        self._leader: tuple[int, int] | None = None
        self._seen: set[tuple[int, int]] = set()
        self._strangers: set[tuple[int, int]] = set()

    def led_by(self, pid: int, started: int) -> None:
        """Say which process leads the group and the session of the run, and when (in ticks) it started."""
        self._leader = (pid, started)

    def find(self) -> dict[int, Process]:
        """Return the processes of the run by pid, also those that have ended and were not waited for."""
        table = snapshot()
        table.pop(os.getpid(), None)
        # Nothing that is older than the leader can come from it.
        group, oldest = self._leader or (0, 0)
        if group in table and table[group].started != oldest:
            # A number is given to others only when its group is empty; now it is theirs.
            group = 0
        found: dict[int, Process] = {}
        children: dict[int, list[Process]] = {}
        for process in table.values():
            if process.started < oldest:
                continue
            children.setdefault(process.parent, []).append(process)
            if self._belongs(process, group):
                found[process.pid] = process
        heirs = list(found)
        while heirs:
            for child in children.get(heirs.pop(), []):
                if child.pid not in found:
                    found[child.pid] = child
                    heirs.append(child.pid)
        self._seen = {(process.pid, process.started) for process in found.values()}
        return found

    def _belongs(self, process: Process, group: int) -> bool:
        key = (process.pid, process.started)
        if key in self._seen or (group and group in {process.group, process.session}):
            return True
        if key in self._strangers:
            return False
        if self._mark in environment(process.pid):
            return True
        if self._leader is not None:
            # Whoever lacks the mark gets it only from somebody who has it, so it need not be looked at again.
            self._strangers.add(key)
        return False
