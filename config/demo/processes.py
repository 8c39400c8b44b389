"""The demo's processes: started together, watched, and ended together."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

#: How long a process may take to end after it was asked to, before it is killed (seconds).
PATIENCE = 8.0


class DemoRunning(Exception):
    """Another demo works on the same data."""


class Processes:
    """Children that end with us; whoever outlives a crashed demo is ended by the next one."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._lock: IO[str] | None = None

    def take_over(self) -> None:
        """Make sure that this is the only demo on this data; raises DemoRunning while another one is alive.

        The children inherit the lock, so it tells of orphans too.
        """
        self._home.mkdir(parents=True, exist_ok=True)
        lock = (self._home / "demo.lock").open("a+")
        if not _try_lock(lock):
            lock.seek(0)
            known = json.loads(lock.read() or "{}")
            if _alive(known.get("demo", 0)):
                raise DemoRunning(
                    f"A demo is running already (process {known['demo']}). Stop it, or set ROTA_HOME to another folder."
                )
            for pid in known.get("children", []):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 40
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    raise DemoRunning("Processes of an earlier demo do not end; see " + str(known.get("children")))
                time.sleep(0.1)
        self._lock = lock
        self._record()

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        """Start one child; what it writes goes to ``logs/<name>.log`` in the home."""
        assert self._lock is not None  # noqa: S101 - take_over comes first
        folder = self._home / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.log").open("wb") as output:
            self._children[name] = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, *command],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is ours to pass on, in order.
                start_new_session=True,
                pass_fds=[self._lock.fileno(), *(each.fileno() for each in sockets)],
            )
        self._record()

    def ended(self) -> str | None:
        """Return what to say about a child that ended by itself, or None while all are well."""
        for name, child in self._children.items():
            code = child.poll()
            if code is not None:
                said = (self._home / "logs" / f"{name}.log").read_text(errors="replace").strip().splitlines()
                return f"The {name} ended by itself (exit code {code}). It said:\n" + "\n".join(said[-15:])
        return None

    def stop(self) -> None:
        """End all children, workers before what they need; kill what does not end in time."""
        for child in self._children.values():
            child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        for child in self._children.values():
            try:
                child.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()
        if self._lock is not None:
            self._lock.close()

    def _record(self) -> None:
        assert self._lock is not None  # noqa: S101 - only called with the lock
        self._lock.seek(0)
        self._lock.truncate()
        children = [child.pid for child in self._children.values()]
        self._lock.write(json.dumps({"demo": os.getpid(), "children": children}))
        self._lock.flush()


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
