"""Calling back at a moment: one thread for all of a process, because one for each piece of work would cost more."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

#: Cancelled alarms stay in the heap until their moment; beyond so many it is rebuilt without them.
_MOST_CANCELLED = 1000


class Alarm:
    """One callback to come. `cancel` may be called at any time, from any thread."""

    __slots__ = ("_clock", "callback")

    def __init__(self, clock: AlarmClock, callback: Callable[[], None]) -> None:
        self._clock = clock
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Have the callback not called, unless it is being called already."""
        if self.callback is not None:
            self.callback = None
            self._clock.forget_one()


class AlarmClock:
    """Calls back at moments of ``time.monotonic()``, in a thread of its own that the first alarm starts.

    Callbacks must return soon; what they raise is logged.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = itertools.count()
        self._cancelled = 0
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None

    def call_at(self, moment: float, callback: Callable[[], None]) -> Alarm:
        """Call ``callback`` when ``time.monotonic()`` has reached ``moment``; at once when it has."""
        alarm = Alarm(self, callback)
        with self._changed:
            heapq.heappush(self._alarms, (moment, next(self._numbers), alarm))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rota-alarms", daemon=True)
                self._thread.start()
            elif self._alarms[0][2] is alarm:
                self._changed.notify()
        return alarm

    def forget_one(self) -> None:
        """Take note that an alarm was cancelled; for `Alarm` only."""
        with self._changed:
            self._cancelled += 1
            if self._cancelled > max(_MOST_CANCELLED, len(self._alarms) // 2):
                self._alarms = [each for each in self._alarms if each[2].callback is not None]
                heapq.heapify(self._alarms)
                self._cancelled = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._alarms or self._alarms[0][0] > time.monotonic():
                    self._changed.wait(self._alarms[0][0] - time.monotonic() if self._alarms else None)
                alarm = heapq.heappop(self._alarms)[2]
                callback, alarm.callback = alarm.callback, None
            if callback is None:
                continue
            try:
                callback()
            except Exception:
                logger.exception("a callback at its moment failed", extra={"action": "alarm"})


#: The clock of this process.
alarms = AlarmClock()
