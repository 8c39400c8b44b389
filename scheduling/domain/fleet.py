"""What scheduling must know of the nodes that run work: which are alive, and what they serve.

Workers say here at start-up how to find out, so that scheduling never has to import them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveNode:
    """One node that sends heartbeats."""

    name: str
    queues: frozenset[str]
    handlers: frozenset[str]
    slots: int
    busy: int
    #: It finishes what it runs and takes nothing new.
    draining: bool = False

    def serves(self, queue: str, handler: str) -> bool:
        """Tell whether it takes work of this queue and this handler."""
        return not self.draining and queue in self.queues and handler in self.handlers


class Fleet:
    """The nodes of this installation, asked for when they are needed."""

    def __init__(self) -> None:
        self._read: Callable[[], Sequence[LiveNode]] = tuple

    def is_read_by(self, read: Callable[[], Sequence[LiveNode]]) -> None:
        """Remember how the live nodes are found."""
        self._read = read

    def live_nodes(self) -> Sequence[LiveNode]:
        """Return the nodes that are alive now; none in a process to which nobody said how to find them."""
        return self._read()


#: The fleet of this process.
fleet = Fleet()
