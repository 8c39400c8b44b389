"""DrainLimit: a worker that was told to stop ends in time, whatever its work or the database does."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

#: The exit code of a worker that left something to the reaper (EX_TEMPFAIL of sysexits.h).
EXIT_UNFINISHED = 75

#: What the end itself may take beyond the grace, in seconds.
BEYOND_SECONDS = 2.0

#: So much of that (seconds) is kept for the very end.
_RESERVE_SECONDS = 0.7


class DrainLimit:
    """Counts down from the first call of `begin`; at zero it says what is unfinished and ends the process."""

    def __init__(
        self,
        *,
        grace_seconds: float,
        short_seconds: float,
        unfinished: Callable[[], str],
        end: Callable[[int], None] = os._exit,
    ) -> None:
        """``grace_seconds`` is all the time there is, ``short_seconds`` what a second call leaves of it."""
        self._grace, self._short, self._unfinished, self._end = grace_seconds, short_seconds, unfinished, end
        self._ends_at: float | None = None
        self._changed = threading.Condition()
        self._over = False

    def begin(self) -> None:
        """Start counting down; when that has happened already, leave the short time only."""
        with self._changed:
            if self._over:
                return
            if self._ends_at is None:
                self._ends_at = time.monotonic() + self._grace + BEYOND_SECONDS
                threading.Thread(target=self._run, name="rota-drain-limit", daemon=True).start()
            else:
                self._ends_at = min(self._ends_at, time.monotonic() + self._short + BEYOND_SECONDS)
            self._changed.notify_all()

    def left(self, most: float) -> float:
        """Return for how many seconds something may be waited for: ``most``, or less when the time runs out."""
        if self._ends_at is None:
            return most
        return max(0.05, min(most, self._ends_at - time.monotonic() - _RESERVE_SECONDS))

    def over(self) -> None:
        """The end has come in time."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while not self._over and (left := (self._ends_at or 0.0) - time.monotonic()) > 0:
                self._changed.wait(left)
            if self._over:
                return
        sys.stderr.write(f"worker: ends although {self._unfinished()}; the schedulers decide what becomes of it\n")
        sys.stderr.flush()
        self._end(EXIT_UNFINISHED)
