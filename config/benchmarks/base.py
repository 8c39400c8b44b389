"""What a benchmark is: a name, its options, and something that can be measured again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from config.benchmarks.machine import read_usage
from config.benchmarks.processes import Processes
from scheduling.db import Connection

#: Figures of one repeat, by name.
Figures = dict[str, float]


@dataclass(kw_only=True)
class Stage:
    """What a benchmark works with."""

    #: Hears how much of the current repeat is done, from 0 to 1.
    tell: Callable[[float], None]
    options: Mapping[str, int]
    #: None for a benchmark that needs no database.
    connection: Connection | None = None
    started: Processes | None = None

    @property
    def conn(self) -> Connection:
        """A connection of its own, in autocommit, to the scratch database."""
        assert self.connection is not None  # noqa: S101 - given to every benchmark that needs a database
        return self.connection

    @property
    def processes(self) -> Processes:
        """The schedulers and workers."""
        assert self.started is not None  # noqa: S101 - given to every benchmark that needs a database
        return self.started

    def __getitem__(self, option: str) -> int:
        """Return an option's value."""
        return self.options[option]

    @contextmanager
    def using(self, figures: Figures, *, jobs: Callable[[], float] | None = None) -> Iterator[None]:
        """Add to ``figures`` what the processes and the server use inside the block; per job too, when there are any.

        CPU times are missing where they cannot be read: for a server on another machine, or without /proc.
        """
        before = read_usage(self.conn, self.processes.pids)
        yield
        used = read_usage(self.conn, self.processes.pids) - before
        count = jobs() if jobs is not None else 0
        if used.processes_seconds:
            figures["processes_cpu_seconds"] = used.processes_seconds
            if count:
                figures["processes_cpu_us_per_job"] = used.processes_seconds / count * 1e6
        if used.server_seconds:
            figures["database_cpu_seconds"] = used.server_seconds
            if count:
                figures["database_cpu_us_per_job"] = used.server_seconds / count * 1e6
        if count:
            figures["wal_bytes_per_job"] = used.wal_bytes / count


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One benchmark."""

    name: str
    #: What it measures, in a line.
    about: str
    #: Its options with their defaults.
    options: Mapping[str, int]
    #: Prepares, and yields what measures one repeat; leaves nothing running.
    opened: Callable[[Stage], AbstractContextManager[Callable[[], Figures]]]
    repeat: int = 5
    #: The figure that a plot shows, and the option that it is shown against unless another is asked for.
    headline: str = "per_second"
    against: str = ""
    values: tuple[int, ...] = field(default_factory=tuple)
    needs_database: bool = True
