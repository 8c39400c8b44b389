"""Who runs in a data directory, according to its postmaster.pid and to the process table."""

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

FILE_NAME = "postmaster.pid"


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A server as its lock file describes it (PostgreSQL, src/include/utils/pidfile.h)."""

    pid: int
    port: int
    socket_dir: Path | None  # None before the server has opened its socket
    ready: bool  # accepts connections


def read_postmaster(data: Path) -> Postmaster | None:
    """Returns what postmaster.pid says, true or not; None when there is none or it is not yet written."""
    try:
        lines = (data / FILE_NAME).read_text(encoding="utf-8").splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None
    lines += [""] * (8 - len(lines))
    return Postmaster(
        pid=pid,
        port=int(lines[3] or 0),
        socket_dir=Path(lines[4]) if lines[4] else None,
        ready=lines[7].strip() == "ready",
    )


def running_postmaster(data: Path) -> Postmaster | None:
    """Returns the server that runs in `data`, whatever its state; None when there is none.

    A machine that lost power leaves a postmaster.pid whose number may belong to any process by now, so the
    process is believed only when it is a postgres that was started with this directory.
    """
    postmaster = read_postmaster(data)
    return postmaster if postmaster is not None and _serves(postmaster.pid, data) else None


def remove_misleading_files(data: Path, socket_dir: Path) -> None:
    """Removes lock files, of the data and of the socket, that postgres would believe although nobody serves.

    It believes a number that any process has by now, also one that has ended and that its parent does not
    bury, as in a container whose first process is no init. Only call this while nobody else can start a
    server in `data`. The file of a dead process stays: postgres replaces it by itself. In either case
    it sees by the key of the shared memory, made from the directory, whether an orphan still uses that.
    """
    for lock in (data / FILE_NAME, *socket_dir.glob(".s.PGSQL.*.lock")):
        pid = _first_number(lock)
        if pid is not None and psutil.pid_exists(pid) and not _serves(pid, data):
            lock.unlink(missing_ok=True)


def _first_number(lock: Path) -> int | None:
    try:
        return int(lock.read_text(encoding="utf-8").split(maxsplit=1)[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _serves(pid: int, data: Path) -> bool:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = process.cmdline()
    except psutil.Error:
        return False
    if not command or Path(command[0]).name != "postgres" or "-D" not in command[:-1]:
        return False
    directory = command[command.index("-D") + 1]
    try:
        return os.path.samefile(directory, data)
    except OSError:
        return False
