"""The same thing in several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Run ``calls`` in threads that start together; return their answers in order, or raise the first error."""
    barrier = threading.Barrier(len(calls))

    def together(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(together, call) for call in calls]]


@contextmanager
def in_background(call: Callable[[], object], *, stop: Callable[[], object] = lambda: None) -> Iterator[Future[object]]:
    """Run ``call`` in a thread while the block runs; then ``stop`` it and wait. Raises what it raised."""
    with ThreadPoolExecutor(1) as pool:
        future: Future[object] = pool.submit(call)
        try:
            yield future
        finally:
            stop()
        future.result()
