"""The processes that chaos works on: killed, frozen, and started again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import ROOT, environment

LEASE_SECONDS = 4


@dataclass
class Member:
    """One process under its name."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes]
    frozen_until: float = 0.0


@dataclass
class Fleet:
    """Schedulers and workers as processes; every one that ends is started again."""

    folder: Path
    url: str
    members: dict[str, Member] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)

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
        if member.process.poll() is None and not member.frozen_until:
            member.process.send_signal(signal.SIGSTOP)
            member.frozen_until = time.monotonic() + LEASE_SECONDS * 1.5
            self.count("SIGSTOP")

    def tend(self) -> None:
        """Thaw who has been frozen for long enough, and start again who has ended."""
        for member in list(self.members.values()):
            if member.frozen_until and time.monotonic() > member.frozen_until:
                with suppress(ProcessLookupError):
                    member.process.send_signal(signal.SIGCONT)
                member.frozen_until = 0.0
            if member.process.poll() is not None:
                self.start(member.name, *member.command)

    def thaw_all(self) -> None:
        """Let everybody move again."""
        for member in self.members.values():
            member.frozen_until = 0.0
            with suppress(ProcessLookupError):
                member.process.send_signal(signal.SIGCONT)

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
        import psycopg

        while not self._done.is_set():
            with suppress(psycopg.Error), psycopg.connect(self._url, autocommit=True) as conn:
                while not self._done.wait(0.01):
                    row = conn.execute(
                        "SELECT count(*) FROM (SELECT t.id FROM rota_queue_entry e JOIN rota_task t ON t.id = e.gate"
                        " WHERE e.state IN (0, 1, 3, 5) GROUP BY t.id, t.max_running"
                        " HAVING count(*) > coalesce(t.max_running, 1)) x"
                    ).fetchone()
                    self.samples += 1
                    self.exceeded += bool(row and row[0])
            self._done.wait(0.2)

    def finish(self) -> None:
        """End the thread."""
        self._done.set()
        self.join(timeout=5)
