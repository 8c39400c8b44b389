"""The guard: a process that stops the embedded server when its last user was killed.

A process that ends by itself leaves properly (see membership); one that is killed cannot. The guard waits for
its turn to hold `postgres.users` alone, which the kernel grants at the moment when no user is left. It needs
no clock and no list of processes, and it sleeps until then.

    python -m config.embedded.guard HOME PG_CTL ACCOUNT
"""

import contextlib
import os
import signal
import sys
from pathlib import Path

from config.embedded.cluster import stop_server
from config.embedded.commands import Account
from config.embedded.locks import FileLock
from config.embedded.membership import DATA_NAME, GUARD_NAME, USERS_NAME


def main(home: Path, pg_ctl: Path, account: Account) -> None:
    """Waits until nobody uses the server of `home`, stops it and returns; at once when it has a guard."""
    # Opened first, so that a kill drops it first: nobody must see a guard that has left the queue.
    with FileLock(home / GUARD_NAME) as guard:
        if not guard.try_own():
            _report_ready()
            return
        guard.write(str(os.getpid()))
        with FileLock(home / USERS_NAME) as users:
            _report_ready()
            users.own()
            if users.is_current():
                stop_server(home / DATA_NAME, pg_ctl, account)
            guard.write("")
            guard.close()


def _report_ready() -> None:
    """Tells the process that started the guard, and lets go of its pipe."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, b"ready\n")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    main(Path(sys.argv[1]), Path(sys.argv[2]), Account(sys.argv[3] or None))
