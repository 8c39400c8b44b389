"""What a benchmark runs on, and what it uses: CPU time of processes and of the database, WAL."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from scheduling.db import Connection

#: How many commits the cost of one is measured by.
COMMITS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Server and machine, as they are printed with every result."""

    postgresql: str
    #: The median time of a commit of one row, minus that of a statement that writes nothing (microseconds).
    commit_us: float
    synchronous_commit: str
    max_connections: int
    python: str
    cores: int
    #: Whether the server runs on this machine, so that its CPU time can be read.
    local: bool

    def line(self) -> str:
        """Return it as one line for people."""
        where = "same machine" if self.local else "another machine"
        return (
            f"PostgreSQL {self.postgresql} ({where}), a commit costs {self.commit_us:.0f} µs "
            f"(synchronous_commit {self.synchronous_commit}) · Python {self.python} · {self.cores} cores"
        )


def describe(conn: Connection) -> Machine:
    """Look at the server that ``conn`` leads to, and measure what a commit costs there."""
    row = conn.execute(
        "SELECT current_setting('server_version'), current_setting('synchronous_commit'), "
        "current_setting('max_connections')::int"
    ).fetchone()
    assert row is not None  # noqa: S101 - a SELECT of expressions has one row
    return Machine(
        postgresql=str(row[0]).split()[0],
        commit_us=commit_microseconds(conn),
        synchronous_commit=row[1],
        max_connections=row[2],
        python=platform.python_version(),
        cores=os.cpu_count() or 1,
        local=postmaster_of(conn) is not None,
    )


def commit_microseconds(conn: Connection) -> float:
    """Measure what making one small row durable adds to a statement, in microseconds (a median)."""
    conn.execute("CREATE TABLE IF NOT EXISTS rota_benchmark_commit (n integer)")
    writing = _median_seconds(conn, "INSERT INTO rota_benchmark_commit VALUES (1)")
    reading = _median_seconds(conn, "SELECT 1")
    conn.execute("DROP TABLE rota_benchmark_commit")
    return max(0.0, writing - reading) * 1e6


def _median_seconds(conn: Connection, statement: str) -> float:
    taken = []
    for _ in range(COMMITS):
        began = time.perf_counter()
        conn.execute(statement.encode())
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def postmaster_of(conn: Connection) -> int | None:
    """Return the id of the server's first process, or None when it does not run on this machine."""
    row = conn.execute("SELECT pg_backend_pid(), inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8'")
    found = row.fetchone()
    if found is None or not found[1]:
        return None
    parent = _stat(found[0])
    if parent is None or not parent[0].startswith("postgres"):
        return None
    return int(parent[1])


def cpu_seconds(pids: Collection[int], *, with_children: bool = False) -> float:
    """Return the CPU time that ``pids`` have used so far, with their ended children's if asked for (Linux; else 0)."""
    total = 0.0
    for pid in pids:
        found = _stat(pid)
        if found is not None:
            total += found[2] + (found[3] if with_children else 0.0)
    return total


def server_cpu_seconds(postmaster: int | None) -> float:
    """Return the CPU time of the server's processes so far, those that have ended included."""
    if postmaster is None:
        return 0.0
    own = cpu_seconds([postmaster], with_children=True)
    return own + cpu_seconds(children_of(postmaster))


def children_of(parent: int) -> list[int]:
    """Return the ids of a process's children (Linux; else an empty list)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        stat = _stat(int(entry.name))
        if stat is not None and int(stat[1]) == parent:
            found.append(int(entry.name))
    return found


def resident_mib(pid: int) -> float:
    """Return how much memory a process holds, in MiB (Linux; else 0)."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    for line in text.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _stat(pid: int) -> tuple[str, float, float, float] | None:
    """Return (name, parent, own CPU seconds, ended children's CPU seconds), see proc(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
    tick = os.sysconf("SC_CLK_TCK")
    user, system, children_user, children_system = (int(rest[at]) / tick for at in (11, 12, 13, 14))
    return name, int(rest[1]), user + system, children_user + children_system


@dataclass(frozen=True, slots=True)
class Reading:
    """What was used up to one moment."""

    processes_seconds: float
    server_seconds: float
    wal_bytes: int

    def __sub__(self, other: Reading) -> Reading:
        """Return what was used between two moments."""
        return Reading(
            self.processes_seconds - other.processes_seconds,
            self.server_seconds - other.server_seconds,
            self.wal_bytes - other.wal_bytes,
        )


def read_usage(conn: Connection, pids: Collection[int]) -> Reading:
    """Read what the processes ``pids`` and the server of ``conn`` have used so far."""
    row = conn.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").fetchone()
    assert row is not None  # noqa: S101 - a SELECT of expressions has one row
    return Reading(cpu_seconds(pids), server_cpu_seconds(postmaster_of(conn)), row[0])
