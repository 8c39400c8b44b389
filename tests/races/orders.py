"""Two verbs on two connections, in a chosen order: the first has not committed when the second begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from scheduling.db import Connection, own_connection
from tests.support.waiting import wait_until

T = TypeVar("T")
U = TypeVar("U")

_WAITS = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"


@contextmanager
def connections(count: int) -> Iterator[list[Connection]]:
    """So many connections as loops have them."""
    opened = [own_connection("test") for _ in range(count)]
    try:
        yield opened
    finally:
        for each in opened:
            each.close()


def overlapping(first: Callable[[Connection], T], second: Callable[[Connection], U]) -> tuple[T, U]:
    """Do ``first`` and, before it commits, begin ``second``, which waits for it or passes by; return both answers."""
    with connections(3) as (one, two, watch), ThreadPoolExecutor(1) as pool:
        with one.transaction():
            answer = first(one)
            begun: Future[U] = pool.submit(second, two)

            def waits_or_is_done() -> bool:
                row = watch.execute(_WAITS, [two.info.backend_pid]).fetchone()
                return begun.done() or bool(row and row[0])

            wait_until(waits_or_is_done, what="the second waits for the first, or is through")
        return answer, begun.result()
