"""Slots: the threads that run jobs. Short work stays in the thread that is at it; longer work gets a thread each.

Handing a job of some microseconds to another thread costs more than running it, and many threads that take turns at
such jobs keep each other from Python's lock. So a thread goes on taking jobs while there are any, and others are woken
only when the work is known not to be short, or when nobody has taken a job for a moment although some wait.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

J = TypeVar("J")

#: Work is short when half of it takes less than this (seconds).
SHORT_SECONDS = 0.0003

#: When nobody takes a waiting job for so long (seconds), another thread is woken, then twice as many, and so on.
STALL_SECONDS = 0.001

#: By how much one observation moves the estimate of the median, which no single slow job can lift.
STEP = 1.05


class Slots(Generic[J]):
    """At most ``size`` threads that call ``run`` for each job in the order they were put in.

    Threads are started when they are needed, and the one that ran last is woken first, so that a few stay warm.
    ``run`` must not raise.
    """

    def __init__(self, size: int, run: Callable[[J], None]) -> None:
        self._size, self._run = size, run
        self._jobs: deque[J] = deque()
        self._lock = threading.Lock()
        #: Each idle thread waits for its own baton, a lock that whoever wakes it releases.
        self._idle: list[threading.Lock] = []
        self._started = 0
        self._taken = 0
        self._closed = False
        # Unknown work counts as long.
        self._median = SHORT_SECONDS * 2
        self._queued = threading.Event()
        self._watch: threading.Thread | None = None

    def put(self, jobs: Collection[J]) -> None:
        """Have ``jobs`` run, behind those that wait already."""
        some_waited = bool(self._jobs)
        self._jobs.extend(jobs)
        if self._median >= SHORT_SECONDS:
            self._wake(len(jobs))
        elif not some_waited:
            self._wake(1)
        if len(jobs) > 1 or some_waited:
            self._watch_over()

    @property
    def waiting(self) -> int:
        """How many jobs no thread has taken yet."""
        return len(self._jobs)

    def take_back(self) -> list[J]:
        """Return the jobs that no thread has taken, and forget them."""
        jobs: list[J] = []
        while True:
            try:
                jobs.append(self._jobs.popleft())
            except IndexError:
                return jobs

    def close(self) -> None:
        """Let the threads end when no job is left; returns at once."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for baton in idle:
            baton.release()
        self._queued.set()

    def _wake(self, count: int) -> None:
        """Have up to ``count`` more threads take jobs."""
        with self._lock:
            woken = [self._idle.pop() for _ in range(min(count, len(self._idle)))]
            new = min(count - len(woken), self._size - self._started)
            numbers = range(self._started, self._started + new)
            self._started += new
        for baton in woken:
            baton.release()
        for number in numbers:
            threading.Thread(target=self._serve, name=f"rota-slot-{number}", daemon=True).start()

    def _serve(self) -> None:
        baton = threading.Lock()
        baton.acquire()
        while True:
            try:
                job = self._jobs.popleft()
            except IndexError:
                with self._lock:
                    # Whoever puts a job in looks for idle threads afterwards, under this lock.
                    if self._jobs:
                        continue
                    if self._closed:
                        return
                    self._idle.append(baton)
                baton.acquire()
                continue
            self._taken += 1
            began = time.monotonic()
            self._run(job)
            # Observations may get lost between threads; there are others.
            self._median *= STEP if time.monotonic() - began > self._median else 1 / STEP

    # Watching for work that turns out not to be short

    def _watch_over(self) -> None:
        if self._watch is None:
            self._watch = threading.Thread(target=self._watch_stalls, name="rota-slots", daemon=True)
            self._watch.start()
        if not self._queued.is_set():
            self._queued.set()

    def _watch_stalls(self) -> None:
        while True:
            self._queued.wait()
            self._queued.clear()
            if self._closed:
                return
            count = 1
            while self._jobs:
                taken = self._taken
                time.sleep(STALL_SECONDS)
                if self._taken != taken:
                    count = 1
                elif self._jobs:
                    self._wake(count)
                    count *= 2
