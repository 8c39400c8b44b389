"""Which named connections a namespace has, for handlers, which know no models.

The app says here at start-up how to find out. In a process without it, such as a child that runs a function, nobody
asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


class ConnectionNames:
    """The names of the connections of each namespace, asked for when they are needed."""

    def __init__(self) -> None:
        self._read: Callable[[int], Sequence[str]] | None = None

    def are_read_by(self, read: Callable[[int], Sequence[str]]) -> None:
        """Remember how the names of a namespace, given by its id, are found."""
        self._read = read

    def of(self, namespace_id: int) -> Sequence[str] | None:
        """Return the names, sorted; None where nobody said how to find them."""
        return None if self._read is None else self._read(namespace_id)


#: The connections as this process knows them.
connection_names = ConnectionNames()
