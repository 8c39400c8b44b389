"""A process that has imported the libraries, and becomes each process that a test starts by forking.

Half a second of work for each process that tests start is importing libraries. Nothing of Rota is imported here and no
setting is read: what is forked gets its own arguments, environment, session and files, and then does all that
``python manage.py …`` does. Only /proc shows another command line. `tests.support.processes` starts what must not
begin in this way, as it would from a shell.

    python -m tests.support.prefork SOCKET

Over SOCKET come three files for each process: a line with two ends, its output, and its errors. The line says what to
run (JSON) and is told the process's number and, in the end, its exit code.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass

#: Read no setting when they are imported.
LIBRARIES = (
    "asyncio",
    "concurrent.futures",
    "croniter",
    "dj_database_url",
    "django.contrib.admin",
    "django.contrib.messages.storage.fallback",
    "django.contrib.postgres.fields",
    "django.contrib.staticfiles.finders",
    "django.core.management.commands.runserver",
    "django.core.serializers.json",
    "django.db.backends.postgresql.base",
    "django.db.migrations.executor",
    "django.template.defaulttags",
    "django.template.loader_tags",
    "django.views.generic",
    "django_stubs_ext",
    "email.message",
    "http.cookiejar",
    "logging.config",
    "psycopg",
    "psycopg_pool",
    "pydantic.functional_validators",
    "pydantic.networks",
    "pydantic.type_adapter",
    "requests",
    "sqlparse",
    "urllib3.util.url",
    "uvicorn.main",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "websockets",
    "yaml",
)


@dataclass(frozen=True)
class Job:
    """What a process is to do: ``python manage.py …``, or ``python -m module …``."""

    args: list[str]
    environ: dict[str, str]

    def run(self) -> None:
        """Do it, as the main program."""
        os.environ.clear()
        os.environ.update(self.environ)
        for name, number in (("stdout", 1), ("stderr", 2)):
            raw = io.FileIO(number, "w", closefd=False)
            plain = "PYTHONUNBUFFERED" in self.environ
            stream = io.TextIOWrapper(
                raw if plain else io.BufferedWriter(raw),  # as Python itself does
                encoding=getattr(sys, name).encoding,
                errors=getattr(sys, name).errors,
                line_buffering=name == "stderr",
                write_through=plain,
            )
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        sys.orig_argv = [sys.executable, *self.args]
        if self.args[0] == "-m":
            sys.argv = self.args[1:]
            runpy.run_module(self.args[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = self.args
            sys.path[0] = os.path.dirname(os.path.abspath(self.args[0]))
            runpy.run_path(self.args[0], run_name="__main__")


def serve(control: socket.socket) -> Job | None:
    """Fork whatever is asked for; return in each child with its job, and here with None when nobody asks any more."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(waker.fileno())
    lines: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if woken in ready:
                woken.recv(4096)
                _report_ends(lines)
            if control not in ready:
                continue
            _, files, _, _ = socket.recv_fds(control, 1, 3)
            if not files:
                return None
            line = socket.socket(fileno=files[0])
            with line.makefile("r") as asked:
                job = Job(**json.loads(asked.readline()))
            pid = os.fork()
            if pid == 0:
                break
            lines[pid] = line
            line.sendall(f"{pid}\n".encode())
            os.close(files[1])
            os.close(files[2])
    # In the child: nothing is left of what this process is for.
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for each in (control, woken, waker, line, *lines.values()):
        each.close()
    for number, file in enumerate(files[1:], 1):
        os.dup2(file, number)
        os.close(file)
    return job


def _report_ends(lines: dict[int, socket.socket]) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            # Whoever asked may be gone.
            with lines.pop(pid) as line, suppress(OSError):
                line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def main() -> None:
    """Import, then serve."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    job = serve(socket.socket(fileno=int(sys.argv[1])))
    if job is not None:
        job.run()


if __name__ == "__main__":
    main()
