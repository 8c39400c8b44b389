"""The processes that chaos works on: killed, frozen, and started again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from django.db import OperationalError, connection

from tests.support.processes import ROOT, environment

LEASE_SECONDS = 4


_EXCEEDED = """
SELECT count(*) FROM (
    SELECT e.gate FROM rota_queue_entry e JOIN rota_task t ON t.id = e.task_id
    WHERE e.state IN (0, 1, 3, 5) AND e.gate IS NOT NULL
    GROUP BY e.gate
    HAVING count(*) > max(coalesce(t.max_running, CASE t.overlap WHEN 'allow' THEN 1000000 ELSE 1 END))
    UNION ALL
    SELECT e.pool_id FROM rota_queue_entry e JOIN rota_pool p ON p.id = e.pool_id
    WHERE e.state IN (0, 1, 3) GROUP BY e.pool_id, p.slots HAVING sum(e.pool_weight) > p.slots
) x
"""


@dataclass
class Member:
    """One process under its name."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes]
    #: Lets it move again after it was frozen.
    thaw: threading.Timer | None = None

    def go_on(self) -> None:
        """Let it move again."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)


@dataclass
class Fleet:
    """Schedulers and workers as processes; every one that ends is started again."""

    folder: Path
    url: str
    members: dict[str, Member] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    #: What is still to be done, and when.
    pending: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def later(self, seconds: float, call: Callable[[], object]) -> None:
        """Have ``call`` called by `tend` after so long; again and again while it finds no database."""
        self.pending.append((time.monotonic() + seconds, call))

    def settle(self) -> None:
        """Do at once what was to be done later."""
        while self.pending:
            self.pending = [(0.0, call) for _, call in self.pending]
            self._do_what_is_due()

    def _do_what_is_due(self) -> None:
        due = [each for each in self.pending if each[0] <= time.monotonic()]
        self.pending = [each for each in self.pending if each not in due]
        for _, call in due:
            try:
                call()
            except (OperationalError, psycopg.OperationalError):
                connection.close()
                self.later(0.5, call)

    def start(self, name: str, *command: str) -> None:
        """Start ``manage.py command`` under ``name``."""
        with (self.folder / f"{name}.log").open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *command],
                cwd=ROOT,
                env=environment(
                    DATABASE_URL=self.url,
                    ROTA_LEASE_SECONDS=str(LEASE_SECONDS),
                    ROTA_TASK_MODULES="tests.chaos.functions",
                ),
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.members[name] = Member(name, list(command), process)

    def count(self, fault: str) -> None:
        """Note that a fault was injected."""
        self.faults[fault] = self.faults.get(fault, 0) + 1

    def kill(self, chance: random.Random) -> None:
        """End one member without giving it a chance."""
        member = chance.choice(list(self.members.values()))
        member.process.kill()
        self.count("SIGKILL")

    def stop(self, chance: random.Random) -> None:
        """Ask one member to end in order."""
        member = chance.choice(list(self.members.values()))
        member.process.terminate()
        self.count("SIGTERM")

    def freeze(self, chance: random.Random) -> None:
        """Let one member stand still for longer than its lease."""
        member = chance.choice(list(self.members.values()))
        if member.process.poll() is None and not (member.thaw and member.thaw.is_alive()):
            member.process.send_signal(signal.SIGSTOP)
            # By a thread: whoever stands still may hold a lock that the runner itself waits for.
            member.thaw = threading.Timer(LEASE_SECONDS * 1.5, member.go_on)
            member.thaw.start()
            self.count("SIGSTOP")

    def tend(self) -> None:
        """Start again who has ended, and do what is due."""
        self._do_what_is_due()
        for member in list(self.members.values()):
            if member.process.poll() is not None:
                self.start(member.name, *member.command)

    def thaw_all(self) -> None:
        """Let everybody move again."""
        for member in self.members.values():
            if member.thaw:
                member.thaw.cancel()
            member.go_on()

    def end(self) -> None:
        """End everybody."""
        self.thaw_all()
        for member in self.members.values():
            member.process.terminate()
        for member in self.members.values():
            try:
                member.process.wait(timeout=50)
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()

    def said(self) -> str:
        """Everything that the members have written."""
        return "\n".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))


class Sampler(threading.Thread):
    """Looks many times a second whether a limit is exceeded."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._done = threading.Event()
        self.samples = 0
        self.exceeded = 0

    def run(self) -> None:
        """Sample until `finish`; a lost connection is opened anew."""
        while not self._done.is_set():
            with suppress(psycopg.Error), psycopg.connect(self._url, autocommit=True) as conn:
                while not self._done.wait(0.01):
                    row = conn.execute(_EXCEEDED).fetchone()
                    self.samples += 1
                    self.exceeded += bool(row and row[0])
            self._done.wait(0.2)

    def finish(self) -> None:
        """End the thread."""
        self._done.set()
        self.join(timeout=5)
