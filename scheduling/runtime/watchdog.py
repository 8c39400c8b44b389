"""Watchdog: ends a process whose loop has stopped turning, so that its supervisor starts a new one.

A loop that is stuck (a lock that nobody releases, a server that never answers, a bug) does no harm to what is stored,
but nothing gets done either, and from outside the process looks alive. An outage of the database is no such thing:
loops go on turning while they wait for it.

It cannot see past code that keeps the interpreter's lock for good, for then it does not run itself.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable

#: The exit code of a process that its watchdog has ended (EX_SOFTWARE of sysexits.h).
EXIT_STALLED = 70

#: How often (seconds) it looks, at the most.
LOOK_SECONDS = 1.0

#: Opening a connection may take so long (seconds), when an embedded server recovers from a crash first.
CONNECTING_SECONDS = 70.0


class Watch:
    """One loop that is watched. Called by the loop's own thread, at each turn."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.turned_at = time.monotonic()
        self.watched = True
        self.turned(rest=CONNECTING_SECONDS)

    def turned(self, *, rest: float = 0.0) -> None:
        """Say that the loop is alive, and that it may be silent for ``rest`` seconds now because it sleeps or waits."""
        self.turned_at = time.monotonic() + rest

    def end(self) -> None:
        """Say that the loop has ended as it should."""
        self.watched = False


class Watchdog:
    """Looks at the loops of this process from a thread of its own."""

    def __init__(
        self, *, seconds: float, who: str, end: Callable[[int], None] = os._exit, look_seconds: float | None = None
    ) -> None:
        """``seconds`` of silence are too many; 0 watches nothing. ``end`` is called with the exit code."""
        self._seconds, self._who, self._end = seconds, who, end
        self._look_seconds = look_seconds or min(LOOK_SECONDS, max(seconds, 0.4) / 4)
        self._watches: list[Watch] = []
        self._stopping = threading.Event()
        self._looked_at = 0.0

    def watch(self, name: str) -> Watch:
        """Return what the loop ``name`` reports to."""
        watch = Watch(name)
        self._watches.append(watch)
        return watch

    def start(self) -> None:
        """Begin to look."""
        if self._seconds > 0:
            self._looked_at = time.monotonic()
            threading.Thread(target=self._run, name="rota-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def look(self) -> Watch | None:
        """Return a loop that has been silent for too long, if there is one.

        When this call itself comes late, the whole process stood still (stopped by a signal, suspended, starved),
        and every loop is given that time again, for a sleep that a stop interrupts goes on for what was left of it.
        """
        now, before = time.monotonic(), self._looked_at
        self._looked_at = now
        # Below the time after which it bites, also where that is short.
        if before and now - before > min(3 * self._look_seconds + 1.0, max(1.0, self._seconds / 2)):
            for watch in self._watches:
                watch.turned_at = max(watch.turned_at + (now - before), now)
            return None
        silent = (watch for watch in self._watches if watch.watched and now - watch.turned_at > self._seconds)
        return next(silent, None)

    def _run(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            if (watch := self.look()) is not None:
                self._give_up(watch)
                return

    def _give_up(self, watch: Watch) -> None:
        # Should standard error be full as well: this ends the process without Python.
        faulthandler.dump_traceback_later(10, exit=True, file=sys.__stderr__ or sys.stderr)
        faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)
        sys.stderr.write(
            f"{self._who}: the loop “{watch.name}” has not turned for {self._seconds:g} s; where each thread stands "
            f"is above. This process ends with exit code {EXIT_STALLED}, so that its supervisor starts a new one.\n"
        )
        sys.stderr.flush()
        faulthandler.cancel_dump_traceback_later()
        self._end(EXIT_STALLED)
