"""Who uses the embedded server, and what the last one does on leaving.

Three files in `home` are locked:

- `postgres.users`, shared, by every process that uses the server, for as long as it lives; exclusively by
  whoever stops the server. So nobody can be about to use a server that is being stopped, and a process that
  was killed is no user any more, because the kernel has dropped its lock.
- `postgres.start`, exclusively, by whoever starts or leaves: one at a time.
- `postgres.guard`, exclusively, by the guard, which waits in the queue for `postgres.users`.

The order is the same everywhere, so that nobody waits in a circle: a starter takes `users`, then `start`; a
leaver takes `start`, gives its `users` up and then only *tries* to have `users` alone.
"""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import psutil

from config.embedded.cluster import stop_server
from config.embedded.commands import ProgramError
from config.embedded.installation import Installation
from config.embedded.locks import FileLock
from config.embedded.postmaster import running_postmaster

DATA_NAME = "postgres"
USERS_NAME = "postgres.users"
START_NAME = "postgres.start"
GUARD_NAME = "postgres.guard"

_GUARD_MODULE = "config.embedded.guard"
_GUARD_END_SECONDS = 5


class Membership:
    """This process's use of the server in one `home`, from joining to leaving."""

    def __init__(self, home: Path, installation: Installation) -> None:
        """Joins: waits while somebody stops the server, and from then on nobody does."""
        self._home = home
        self._installation = installation
        self._guard: subprocess.Popen[bytes] | None = None
        self._users = FileLock(home / USERS_NAME)
        self._users.share()

    def starting(self) -> FileLock:
        """Waits until nobody else starts or leaves; the caller may do so until it closes the lock."""
        lock = FileLock(self._home / START_NAME)
        lock.own()
        return lock

    def is_current(self) -> bool:
        """Tells whether `home` is still the directory that was joined."""
        return self._users.is_current()

    def ensure_guard(self) -> None:
        """Starts the guard unless one waits already, and returns when it waits. Call it while `starting`."""
        with FileLock(self._home / GUARD_NAME) as lock:
            if not lock.try_own():
                return
        installation = self._installation
        command = [sys.executable, "-m", _GUARD_MODULE, str(self._home)]
        command += [str(installation.program("pg_ctl")), installation.account.name or ""]
        # Kept, for a Popen that is forgotten complains about its child; and a session of its own, for Ctrl-C.
        self._guard = subprocess.Popen(  # noqa: S603 - this interpreter
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
        )
        assert self._guard.stdout is not None  # noqa: S101 - PIPE was asked for
        with self._guard.stdout as ready:
            if not ready.read():
                raise ProgramError(f"its guard did not start ({sys.executable} -m {_GUARD_MODULE})")

    def leave(self) -> None:
        """Leaves; the last one stops the server and its guard, and returns when both have ended."""
        with FileLock(self._home / START_NAME) as start, FileLock(self._home / USERS_NAME) as users:
            start.own()
            guard = self._guard_process()
            current = self.is_current()
            self._users.close()
            data = self._home / DATA_NAME
            if users.try_own():
                if current:
                    stop_server(data, self._installation.program("pg_ctl"), self._installation.account)
                if guard is not None:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        guard.terminate()
                    self._await_end(guard)
                return
            # There are other users, or the guard was faster: in that case this waits until it is done.
            users.share()
            if self._guard is not None and self._guard.poll() is None:
                self._guard.returncode = 0  # it outlives us on purpose; Popen would complain
            if guard is not None and running_postmaster(data) is None:
                self._await_end(guard)

    def _guard_process(self) -> psutil.Process | None:
        """Returns the guard, by the number in the file that it holds locked."""
        with FileLock(self._home / GUARD_NAME) as lock:
            if lock.try_own():
                return None
            try:
                process = psutil.Process(int(lock.read()))
                return process if _GUARD_MODULE in process.cmdline() else None
            except (ValueError, psutil.Error):
                return None

    def _await_end(self, guard: psutil.Process) -> None:
        deadline = time.monotonic() + _GUARD_END_SECONDS
        while time.monotonic() < deadline:
            if self._guard is not None:
                self._guard.poll()  # ours to bury
            try:
                if guard.status() == psutil.STATUS_ZOMBIE:
                    return
            except psutil.NoSuchProcess:
                return
            time.sleep(0.005)
